"""Those who watch: each is an `Observer` of `kernel.Trace`, and nothing that they watch knows them.

`printer` shows a conversation as it happens; `redact` keeps every secret out of what is shown;
`web` shows it in a browser, on this machine alone. Next: `recording.py`.
"""

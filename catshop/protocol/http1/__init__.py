"""The floor of plane 1: HTTP/1.1 on h11 and anyio. Knows requests and answers, not what they mean.

`messages` are the nouns; `connection` decides, without I/O; `server` acts; `asgi` lends the same
handlers to somebody else's server. RFC 9112, RFC 9110.
"""

# Chapter 4: the era of 2025-11-25 and before. Client and server agree first; a session remembers
# what they agreed on; a stream that breaks can be read on from where it broke.

step "Shake hands" \
  "The answer settles on a version and names the session. MCP 2025-11-25 basic/lifecycle"
send 200 mcp-session-id <<'SH'
curl -i "$BASE/mcp" -H "Authorization: Bearer $TOKEN" \
  -H "Content-Type: application/json" -H "Accept: application/json, text/event-stream" \
  -d '{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {},
        "clientInfo": {"name": "A terminal", "version": "1"}}}'
SH
must_say '"protocolVersion":"2025-11-25"'
type_in <<SH
SESSION=$(field mcp-session-id)
SH

step "Say that we are ready" \
  "A notification gets no response, only an acknowledgement."
send 202 <<'SH'
curl -i "$BASE/mcp" -H "Authorization: Bearer $TOKEN" \
  -H "Content-Type: application/json" -H "Accept: application/json, text/event-stream" \
  -H "MCP-Protocol-Version: 2025-11-25" -H "Mcp-Session-Id: $SESSION" \
  -d '{"jsonrpc": "2.0", "method": "notifications/initialized"}'
SH

step "Look into the cart" \
  "It is the person's, not the session's: the wands of the other era are in it."
send 200 <<'SH'
curl -i "$BASE/mcp" -H "Authorization: Bearer $TOKEN" \
  -H "Content-Type: application/json" -H "Accept: application/json, text/event-stream" \
  -H "MCP-Protocol-Version: 2025-11-25" -H "Mcp-Session-Id: $SESSION" \
  -d '{"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {
        "name": "view_cart", "arguments": {}}}'
SH
must_say '"total":19.98'

step "Lose the connection in the middle of a stream" \
  "sed stops reading at the third event of progress, and curl has to hang up. The call goes on." \
  "MCP 2025-11-25 basic/transports"
send 200 content-type <<'SH'
curl -i -N "$BASE/mcp" -H "Authorization: Bearer $TOKEN" \
  -H "Content-Type: application/json" -H "Accept: application/json, text/event-stream" \
  -H "MCP-Protocol-Version: 2025-11-25" -H "Mcp-Session-Id: $SESSION" \
  -d '{"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {
        "name": "restock_report", "arguments": {"pace_ms": 50},
        "_meta": {"progressToken": "report"}}}' | sed '/"progress":3/q'
SH
type_in <<SH
LAST=$(body | sed -n 's/^id: //p' | sed -n '$p')
SH

step "Read on from there" \
  "Each event had an id. The last one that arrived says where to go on: nothing is lost, and" \
  "nothing comes twice."
send 200 content-type <<'SH'
curl -i -N "$BASE/mcp" -H "Authorization: Bearer $TOKEN" -H "Accept: text/event-stream" \
  -H "MCP-Protocol-Version: 2025-11-25" -H "Mcp-Session-Id: $SESSION" \
  -H "Last-Event-ID: $LAST"
SH
must_not_say '"progress":3'
must_say '"progress":4'
must_say '"structuredContent"'

step "Order" \
  "A call whose answer was lost can be repeated with the same key, and orders nothing twice."
send 200 <<'SH'
curl -i "$BASE/mcp" -H "Authorization: Bearer $TOKEN" \
  -H "Content-Type: application/json" -H "Accept: application/json, text/event-stream" \
  -H "MCP-Protocol-Version: 2025-11-25" -H "Mcp-Session-Id: $SESSION" \
  -d '{"jsonrpc": "2.0", "id": 4, "method": "tools/call", "params": {
        "name": "checkout", "arguments": {"idempotency_key": "two-wands"}}}'
SH
must_say 'confirmed!'

step "End the session" \
  "MCP 2025-11-25 basic/transports"
send 200 <<'SH'
curl -i -X DELETE "$BASE/mcp" -H "Authorization: Bearer $TOKEN" \
  -H "MCP-Protocol-Version: 2025-11-25" -H "Mcp-Session-Id: $SESSION"
SH

step "Name it once more" \
  "404 tells a client that it has to shake hands again."
send 404 <<'SH'
curl -i "$BASE/mcp" -H "Authorization: Bearer $TOKEN" \
  -H "Content-Type: application/json" -H "Accept: application/json, text/event-stream" \
  -H "MCP-Protocol-Version: 2025-11-25" -H "Mcp-Session-Id: $SESSION" \
  -d '{"jsonrpc": "2.0", "id": 5, "method": "ping"}'
SH
must_say 'E-SES-03'

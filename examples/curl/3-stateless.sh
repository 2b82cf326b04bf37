# Chapter 3: the era of 2026-07-28. Every request says all that there is to know about it, in its
# _meta and again in header fields that a proxy can read, and gets one answer. There is no session.

step "Ask what there is" \
  "One request with nothing before it. MCP 2026-07-28 server/tools"
send 200 content-type <<'SH'
curl -i "$BASE/mcp" -H "Authorization: Bearer $TOKEN" \
  -H "Content-Type: application/json" -H "Accept: application/json, text/event-stream" \
  -H "MCP-Protocol-Version: 2026-07-28" -H "Mcp-Method: tools/list" \
  -d '{"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {
        "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
                  "io.modelcontextprotocol/clientCapabilities": {}}}}'
SH
must_say '"name":"checkout"'

step "Put a Whisker Wand into the cart" \
  "Mcp-Method and Mcp-Name repeat what the body says. MCP 2026-07-28 basic/transports"
send 200 <<'SH'
curl -i "$BASE/mcp" -H "Authorization: Bearer $TOKEN" \
  -H "Content-Type: application/json" -H "Accept: application/json, text/event-stream" \
  -H "MCP-Protocol-Version: 2026-07-28" \
  -H "Mcp-Method: tools/call" -H "Mcp-Name: add_to_cart" \
  -d '{"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {
        "name": "add_to_cart", "arguments": {"product_id": 1, "quantity": 2},
        "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
                  "io.modelcontextprotocol/clientCapabilities": {}}}}'
SH
must_say "Added 2x Whisker Wand to your cart"

step "Say one thing in the header and another in the body" \
  "Whoever routes by the header must not be deceived. MCP 2026-07-28 basic/transports"
send 400 <<'SH'
curl -i "$BASE/mcp" -H "Authorization: Bearer $TOKEN" \
  -H "Content-Type: application/json" -H "Accept: application/json, text/event-stream" \
  -H "MCP-Protocol-Version: 2026-07-28" \
  -H "Mcp-Method: tools/call" -H "Mcp-Name: list_products" \
  -d '{"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {
        "name": "checkout", "arguments": {},
        "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
                  "io.modelcontextprotocol/clientCapabilities": {}}}}'
SH
must_say '"code":-32020'

step "Watch a call that takes its time" \
  "A progressToken asks to be told, and the answer becomes a stream of events. If it breaks, the" \
  "call is over and the client asks again. MCP 2026-07-28 basic/patterns/progress"
send 200 content-type <<'SH'
curl -i -N "$BASE/mcp" -H "Authorization: Bearer $TOKEN" \
  -H "Content-Type: application/json" -H "Accept: application/json, text/event-stream" \
  -H "MCP-Protocol-Version: 2026-07-28" \
  -H "Mcp-Method: tools/call" -H "Mcp-Name: restock_report" \
  -d '{"jsonrpc": "2.0", "id": 4, "method": "tools/call", "params": {
        "name": "restock_report", "arguments": {"pace_ms": 50},
        "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
                  "io.modelcontextprotocol/clientCapabilities": {},
                  "progressToken": "report"}}}'
SH
must_say '"method":"notifications/progress"'
must_say '"structuredContent"'

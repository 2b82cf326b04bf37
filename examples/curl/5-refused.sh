# Chapter 5: how tokens end. They are changed for new ones, taken back, and die with a code that
# somebody tried to use again.

step "Refresh" \
  "Both tokens are new, and the old ones have had their day. OAuth 2.1 section 4.3.1"
type_in <<'SH'
OLD=$TOKEN
SH
send 200 <<'SH'
curl -i "$TOKENS" -d grant_type=refresh_token -d "client_id=$CLIENT_ID" \
  -d "refresh_token=$REFRESH"
SH
type_in <<SH
TOKEN=$(member access_token)
REFRESH=$(member refresh_token)
SH

step "Use the old token" \
  "The challenge says why this time. OAuth 2.1 section 5.3"
send 401 www-authenticate <<'SH'
curl -i -X POST "$BASE/mcp" -H "Authorization: Bearer $OLD"
SH
must_say 'error="invalid_token"'

step "Take the new one back" \
  "Whoever revokes the refresh token ends all that was granted with it. RFC 7009 section 2.1"
send 200 <<'SH'
curl -i "$REVOKE" -d "client_id=$CLIENT_ID" -d "token=$REFRESH"
SH

step "Use the revoked token" \
  "It would have been good for a while. RFC 7009 section 2.1"
send 401 www-authenticate <<'SH'
curl -i -X POST "$BASE/mcp" -H "Authorization: Bearer $TOKEN"
SH

step "Ask again" \
  "The browser is still signed in, so there is no login page; but every request needs consent."
send 303 location <<'SH'
curl -i -b cookies -c cookies -G "$AUTHORIZE" \
  -d response_type=code -d "client_id=$CLIENT_ID" -d scope=read \
  -d "code_challenge=$CHALLENGE" -d code_challenge_method=S256 \
  --data-urlencode "redirect_uri=http://127.0.0.1:8765/callback" \
  --data-urlencode "resource=$BASE/mcp"
SH
type_in <<SH
CONSENT="$(field location)"
SH
send 200 <<'SH'
curl -i -b cookies -c cookies "$CONSENT"
SH
type_in <<SH
REQ=$(input req)
CSRF=$(input csrf)
SH
send 303 location <<'SH'
curl -i -b cookies -c cookies "$ISSUER/consent" -d "req=$REQ" -d "csrf=$CSRF" \
  -d scope=read -d decision=approve
SH
type_in <<SH
CODE=$(parameter code)
SH

step "Redeem the code" \
  "Once."
send 200 <<'SH'
curl -i "$TOKENS" -d grant_type=authorization_code -d "client_id=$CLIENT_ID" -d "code=$CODE" \
  -d "code_verifier=$VERIFIER" \
  --data-urlencode "redirect_uri=http://127.0.0.1:8765/callback"
SH
type_in <<SH
TOKEN=$(member access_token)
SH

step "Redeem it twice" \
  "Of two who come with one code, one is a thief, and nobody knows which. OAuth 2.1 section 4.1.3"
send 400 <<'SH'
curl -i "$TOKENS" -d grant_type=authorization_code -d "client_id=$CLIENT_ID" -d "code=$CODE" \
  -d "code_verifier=$VERIFIER" \
  --data-urlencode "redirect_uri=http://127.0.0.1:8765/callback"
SH
must_say '"error":"invalid_grant"'

step "Use what it gave the first time" \
  "So the tokens of both are dead."
send 401 www-authenticate <<'SH'
curl -i -X POST "$BASE/mcp" -H "Authorization: Bearer $TOKEN"
SH

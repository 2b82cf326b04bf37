# Chapter 2: the client asks for access, a person allows it, and a code becomes a token.
# A client would open the pages in a browser. Here curl is the browser too, with a jar for cookies.

step "Register" \
  "The shop has never heard of us. We are a public client: a terminal can keep no secret." \
  "RFC 7591 section 3"
send 201 <<'SH'
curl -i "$REGISTER" -H "Content-Type: application/json" -d '{
    "client_name": "A terminal",
    "redirect_uris": ["http://127.0.0.1:8765/callback"],
    "grant_types": ["authorization_code", "refresh_token"],
    "token_endpoint_auth_method": "none"}'
SH
type_in <<SH
CLIENT_ID=$(member client_id)
SH

step "Think of a secret, and hash it" \
  "Only the hash is sent ahead. Whoever steals the code on its way lacks the verifier." \
  "RFC 7636 section 4"
type_in <<'SH'
base64url() { openssl base64 | tr '+/' '-_' | tr -d '=\n'; }
VERIFIER=$(openssl rand 32 | base64url)
CHALLENGE=$(printf %s "$VERIFIER" | openssl dgst -sha256 -binary | base64url)
STATE=$(openssl rand -hex 8)
SH

step "Ask for access" \
  "Everything is checked before anybody has to sign in; then the browser is sent to do so." \
  "OAuth 2.1 section 4.1.1"
send 303 location <<'SH'
curl -i -b cookies -c cookies -G "$AUTHORIZE" \
  -d response_type=code -d "client_id=$CLIENT_ID" -d "state=$STATE" \
  -d "code_challenge=$CHALLENGE" -d code_challenge_method=S256 \
  --data-urlencode "redirect_uri=http://127.0.0.1:8765/callback" \
  --data-urlencode "scope=read write" --data-urlencode "resource=$BASE/mcp"
SH
type_in <<SH
LOGIN="$(field location)"
SH

step "Open the page" \
  "Its form holds a token that belongs to this browser, so that no other site can fill it in." \
  "OAuth 2.1 section 7.9"
send 200 content-security-policy <<'SH'
curl -i -b cookies -c cookies "$LOGIN"
SH
type_in <<SH
REQ=$(input req)
CSRF=$(input csrf)
SH

step "Open an account and sign in" \
  "The browser gets a new name, so that a cookie that somebody planted is worth nothing."
type_in <<'SH'
PERSON=cat-$(openssl rand -hex 4)
PASSWORD=$(openssl rand -hex 16)
SH
send 303 location <<'SH'
curl -i -b cookies -c cookies "$ISSUER/login" -d "req=$REQ" -d "csrf=$CSRF" -d action=sign-up \
  -d "username=$PERSON" -d "password=$PASSWORD"
SH
type_in <<SH
CONSENT="$(field location)"
SH

step "Read who asks for what" \
  "The page names the client, where the answer goes, and the scopes that may be unticked."
send 200 <<'SH'
curl -i -b cookies -c cookies "$CONSENT"
SH
must_say "A terminal"
type_in <<SH
CSRF=$(input csrf)
SH

step "Allow it" \
  "The answer is a redirect to the client. It checks state, its own, and iss, the shop's." \
  "OAuth 2.1 section 4.1.2, RFC 9207 section 2.4"
send 303 location <<'SH'
curl -i -b cookies -c cookies "$ISSUER/consent" -d "req=$REQ" -d "csrf=$CSRF" \
  -d scope=read -d scope=write -d decision=approve
SH
must_say "state=$STATE"
must_say "iss=$(printf %s "$ISSUER" | sed 's/:/%3A/g; s,/,%2F,g')"
type_in <<SH
CODE=$(parameter code)
SH

step "Steal the code" \
  "It is good for nothing without the verifier. OAuth 2.1 section 4.1.3"
send 400 <<'SH'
curl -i "$TOKENS" -d grant_type=authorization_code -d "client_id=$CLIENT_ID" -d "code=$CODE" \
  -d code_verifier=the-thief-has-to-guess-this-and-guesses-wrong \
  --data-urlencode "redirect_uri=http://127.0.0.1:8765/callback"
SH
must_say '"error":"invalid_grant"'

step "Redeem the code" \
  "With the verifier it becomes a token to shop with, and one to get the next token with." \
  "OAuth 2.1 section 4.1.3"
send 200 cache-control <<'SH'
curl -i "$TOKENS" -d grant_type=authorization_code -d "client_id=$CLIENT_ID" -d "code=$CODE" \
  -d "code_verifier=$VERIFIER" --data-urlencode "resource=$BASE/mcp" \
  --data-urlencode "redirect_uri=http://127.0.0.1:8765/callback"
SH
type_in <<SH
TOKEN=$(member access_token)
REFRESH=$(member refresh_token)
SH

// A client that lives in a page: public, of another origin, with a key that it cannot give away.
// Served beside oauth4webapi by the test; what `begin` leaves in the session, `finish` takes up.

import * as oauth from '/oauth4webapi.js';

const insecure = { [oauth.allowInsecureRequests]: true };

async function server(issuer) {
  const url = new URL(issuer);
  const answer = await oauth.discoveryRequest(url, { algorithm: 'oauth2', ...insecure });
  return oauth.processDiscoveryResponse(url, answer);
}

export async function begin(issuer, callback) {
  const as = await server(issuer);
  const asked = { redirect_uris: [callback], token_endpoint_auth_method: 'none' };
  const answer = await oauth.dynamicClientRegistrationRequest(as, asked, insecure);
  const client = await oauth.processDynamicClientRegistrationResponse(answer);
  const verifier = oauth.generateRandomCodeVerifier();
  sessionStorage.setItem('begun', JSON.stringify({ client, verifier }));
  const url = new URL(as.authorization_endpoint);
  url.search = new URLSearchParams({
    client_id: client.client_id,
    redirect_uri: callback,
    response_type: 'code',
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  });
  return url.href;
}

export async function finish(issuer, callback) {
  const as = await server(issuer);
  const { client, verifier } = JSON.parse(sessionStorage.getItem('begun'));
  const DPoP = oauth.DPoP(client, await oauth.generateKeyPair('ES256'));
  const options = { ...insecure, DPoP };
  const params = oauth.validateAuthResponse(as, client, new URL(location.href));
  let asked = 0;
  const again = (ask) =>
    ask().catch((error) => {
      asked += oauth.isDPoPNonceError(error) ? 1 : NaN;
      return ask();
    });
  const told = await again(async () => {
    const proof = oauth.None();
    const answer = await oauth.authorizationCodeGrantRequest(
      as,
      client,
      proof,
      params,
      callback,
      verifier,
      options,
    );
    return oauth.processAuthorizationCodeResponse(as, client, answer);
  });
  const resource = new URL('/mcp', issuer);
  const headers = new Headers({ 'content-type': 'application/json', 'mcp-method': 'ping' });
  const answer = await again(() =>
    oauth.protectedResourceRequest(told.access_token, 'POST', resource, headers, '{}', options),
  );
  return { type: told.token_type, asked, status: answer.status };
}

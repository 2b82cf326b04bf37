// oauth4webapi: the strict floor that openid-client stands on, one request and one answer at a time.

import * as oauth from '../../../conformance/node_modules/oauth4webapi/build/index.js';
import {
  CALLBACK,
  CODE,
  DEVICE,
  ITSELF,
  LISTING,
  published,
  registration,
  run,
  stolen,
  visit,
} from './judge.mjs';

const insecure = { [oauth.allowInsecureRequests]: true };

async function found(issuer, algorithm = 'oauth2') {
  const answer = await oauth.discoveryRequest(issuer, { algorithm, ...insecure });
  return oauth.processDiscoveryResponse(issuer, answer);
}

// The server, the client and its proof, once it has registered, ready to be put before arguments.
async function registered(issuer, method, grants) {
  const as = await found(issuer);
  const [name, alg = 'ES256'] = method.split(':');
  const keys = await oauth.generateKeyPair(alg, { extractable: true });
  const jwks = name === 'private_key_jwt' ? { jwks: await published(keys, alg) } : {};
  const asked = registration(name, grants, jwks);
  const answer = await oauth.dynamicClientRegistrationRequest(as, asked, insecure);
  const client = await oauth.processDynamicClientRegistrationResponse(answer);
  const proofs = {
    none: () => oauth.None(),
    client_secret_basic: () => oauth.ClientSecretBasic(client.client_secret),
    client_secret_post: () => oauth.ClientSecretPost(client.client_secret),
    private_key_jwt: () => oauth.PrivateKeyJwt({ key: keys.privateKey, kid: 'judge' }),
  };
  return [as, client, proofs[name]()];
}

// Once more, with the nonce that the server has asked for.
const again = (ask) => ask().catch((e) => (oauth.isDPoPNonceError(e) ? ask() : Promise.reject(e)));

async function tokens([as, client, proof], options = insecure) {
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const asking = new URL(as.authorization_endpoint);
  asking.search = new URLSearchParams({
    client_id: client.client_id,
    redirect_uri: CALLBACK,
    response_type: 'code',
    scope: 'read write',
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
  });
  const params = oauth.validateAuthResponse(as, client, await visit(asking), state);
  return again(async () => {
    const answer = await oauth.authorizationCodeGrantRequest(
      as,
      client,
      proof,
      params,
      CALLBACK,
      verifier,
      options,
    );
    return oauth.processAuthorizationCodeResponse(as, client, answer);
  });
}

async function refreshed(who, token, options = insecure) {
  const answer = await oauth.refreshTokenGrantRequest(...who, token, options);
  return oauth.processRefreshTokenResponse(...who.slice(0, 2), answer);
}

async function revoked(who, token) {
  const answer = await oauth.revocationRequest(...who, token, insecure);
  return oauth.processRevocationResponse(answer);
}

async function introspected(who, token) {
  const answer = await oauth.introspectionRequest(...who, token, insecure);
  return oauth.processIntrospectionResponse(...who.slice(0, 2), answer);
}

await run({
  async discover(issuer) {
    const [oauth2, oidc] = [await found(issuer), await found(issuer, 'oidc')];
    return { oauth2: oauth2.issuer, oidc: oidc.issuer };
  },

  async code(issuer, method) {
    const who = await registered(issuer, method, CODE);
    const first = await tokens(who);
    const second = await refreshed(who, first.refresh_token);
    const invented = await refreshed(who, 'invented').catch((e) => e.error);
    await revoked(who, second.refresh_token);
    return {
      type: first.token_type,
      scope: first.scope,
      fresh: second.access_token !== first.access_token,
      invented,
      revoked: await refreshed(who, second.refresh_token).catch((e) => e.error),
    };
  },

  async introspect(issuer, method) {
    const who = await registered(issuer, method, CODE);
    const { access_token, refresh_token } = await tokens(who);
    const before = await introspected(who, access_token);
    await revoked(who, refresh_token);
    return { before, after: await introspected(who, access_token) };
  },

  async machine(issuer, method) {
    const who = await registered(issuer, method, ITSELF);
    const asked = new URLSearchParams({ scope: 'read' });
    const answer = await oauth.clientCredentialsGrantRequest(...who, asked, insecure);
    const told = await oauth.processClientCredentialsResponse(...who.slice(0, 2), answer);
    return { type: told.token_type, scope: told.scope, refresh: told.refresh_token ?? null };
  },

  async device(issuer, method) {
    const who = await registered(issuer, method, DEVICE);
    const asked = new URLSearchParams({ scope: 'read' });
    const begun = await oauth.deviceAuthorizationRequest(...who, asked, insecure);
    const told = await oauth.processDeviceAuthorizationResponse(...who.slice(0, 2), begun);
    await visit(told.verification_uri_complete);
    const answer = await oauth.deviceCodeGrantRequest(...who, told.device_code, insecure);
    const { scope, refresh_token } = await oauth.processDeviceCodeResponse(...who.slice(0, 2), answer);
    return { scope, again: (await refreshed(who, refresh_token)).scope };
  },

  async resource(issuer) {
    const url = new URL('/mcp', issuer);
    const answer = await oauth.resourceDiscoveryRequest(url, insecure);
    const told = await oauth.processResourceDiscoveryResponse(url, answer);
    return { resource: told.resource, servers: told.authorization_servers };
  },

  async dpop(issuer, method) {
    const who = await registered(issuer, method, CODE);
    const keys = await oauth.generateKeyPair('ES256');
    const options = { ...insecure, DPoP: oauth.DPoP(who[1], keys) };
    const first = await tokens(who, options);
    const second = await again(() => refreshed(who, first.refresh_token, options));
    const url = new URL('/mcp', issuer);
    const { headers, body } = LISTING;
    const token = second.access_token;
    const answer = await again(() =>
      oauth.protectedResourceRequest(token, 'POST', url, headers, body, options),
    );
    return {
      types: [first.token_type, second.token_type],
      tools: (await answer.json()).result.tools.length > 0,
      stolen: await stolen(url, token),
    };
  },

  // As a resource server would that knows nothing but the issuer: a token that is signed.
  async signed(issuer) {
    const who = await registered(issuer, 'none', CODE);
    const { access_token } = await tokens(who);
    const url = new URL('/mcp', issuer);
    const headers = { authorization: `Bearer ${access_token}` };
    const request = new Request(url, { method: 'POST', headers });
    const claims = await oauth.validateJwtAccessToken(who[0], request, url.href, {
      ...insecure,
      signingAlgorithms: ['EdDSA'],
    });
    return { issuer: claims.iss, own: claims.client_id === who[1].client_id, scope: claims.scope };
  },
});

// openid-client: a certified OpenID Connect and OAuth client, by its own high-level functions.

import * as client from '../../../conformance/node_modules/openid-client/build/index.js';
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

const AUTHENTICATIONS = {
  none: () => client.None(),
  client_secret_basic: (secret) => client.ClientSecretBasic(secret),
  client_secret_post: (secret) => client.ClientSecretPost(secret),
  private_key_jwt: (_, keys) => client.PrivateKeyJwt({ key: keys.privateKey, kid: 'judge' }),
};

// A client that has found the server, registered, and proves itself by that method.
async function registered(issuer, method, grants = CODE, more = {}) {
  const [name, alg = 'ES256'] = method.split(':');
  const keys = await client.randomDPoPKeyPair(alg);
  const jwks = name === 'private_key_jwt' ? { jwks: await published(keys, alg) } : {};
  const told = await client.dynamicClientRegistration(
    issuer,
    registration(name, grants, { ...jwks, ...more }),
    client.None(),
    { algorithm: 'oauth2', execute: [client.allowInsecureRequests] },
  );
  const metadata = told.clientMetadata();
  return client.discovery(
    issuer,
    metadata.client_id,
    metadata,
    AUTHENTICATIONS[name](metadata.client_secret, keys),
    { algorithm: 'oauth2', execute: [client.allowInsecureRequests] },
  );
}

async function tokens(config, more = {}, options = undefined) {
  const pkceCodeVerifier = client.randomPKCECodeVerifier();
  const expectedState = client.randomState();
  const arrived = await visit(
    client.buildAuthorizationUrl(config, {
      redirect_uri: CALLBACK,
      scope: 'read write',
      code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
      state: expectedState,
      ...more,
    }),
  );
  return client.authorizationCodeGrant(
    config,
    arrived,
    { pkceCodeVerifier, expectedState },
    {},
    options,
  );
}

await run({
  async discover(issuer) {
    const found = {};
    for (const algorithm of ['oauth2', 'oidc']) {
      const config = await client.discovery(issuer, 'nobody', undefined, client.None(), {
        algorithm,
        execute: [client.allowInsecureRequests],
      });
      found[algorithm] = config.serverMetadata().issuer;
    }
    return found;
  },

  async code(issuer, method) {
    const config = await registered(issuer, method);
    const first = await tokens(config);
    const second = await client.refreshTokenGrant(config, first.refresh_token);
    const invented = await client.refreshTokenGrant(config, 'invented').catch((e) => e.error);
    await client.tokenRevocation(config, second.refresh_token);
    const revoked = await client
      .refreshTokenGrant(config, second.refresh_token)
      .catch((e) => e.error);
    return {
      type: first.token_type,
      scope: first.scope,
      fresh: second.access_token !== first.access_token,
      invented,
      revoked,
    };
  },

  async introspect(issuer, method) {
    const config = await registered(issuer, method);
    const { access_token, refresh_token } = await tokens(config);
    const before = await client.tokenIntrospection(config, access_token);
    await client.tokenRevocation(config, refresh_token);
    const after = await client.tokenIntrospection(config, access_token);
    return { before, after };
  },

  async machine(issuer, method) {
    const config = await registered(issuer, method, ITSELF);
    const told = await client.clientCredentialsGrant(config, { scope: 'read' });
    return { type: told.token_type, scope: told.scope, refresh: told.refresh_token ?? null };
  },

  async device(issuer, method) {
    const config = await registered(issuer, method, DEVICE);
    const told = await client.initiateDeviceAuthorization(config, { scope: 'read' });
    await visit(told.verification_uri_complete);
    const { scope, refresh_token } = await client.pollDeviceAuthorizationGrant(config, told);
    const refreshed = await client.refreshTokenGrant(config, refresh_token);
    return { scope, again: refreshed.scope };
  },

  async dpop(issuer, method) {
    const config = await registered(issuer, method);
    const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'));
    const dpop_jkt = await DPoP.calculateThumbprint();
    const first = await tokens(config, { dpop_jkt }, { DPoP });
    const second = await client.refreshTokenGrant(config, first.refresh_token, {}, { DPoP });
    const url = new URL('/mcp', issuer);
    const { headers, body } = LISTING;
    const answer = await client.fetchProtectedResource(
      config,
      second.access_token,
      url,
      'POST',
      body,
      headers,
      { DPoP },
    );
    return {
      types: [first.token_type, second.token_type],
      tools: (await answer.json()).result.tools.length > 0,
      stolen: await stolen(url, second.access_token),
    };
  },
});

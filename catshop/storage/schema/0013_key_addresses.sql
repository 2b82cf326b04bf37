-- Where the public keys of a client are, when it did not register the keys themselves.

ALTER TABLE oauth_clients ADD COLUMN jwks_uri TEXT;

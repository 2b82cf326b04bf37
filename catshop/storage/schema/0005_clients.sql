-- Clients that prove who they are, clients that manage themselves, and clients that the operator made.
-- A secret and a registration token are kept as SHA-256 in hexadecimal; keys are public ones, as JSON.

ALTER TABLE oauth_clients ADD COLUMN auth_method TEXT NOT NULL DEFAULT 'none';
ALTER TABLE oauth_clients ADD COLUMN secret_hash TEXT;
ALTER TABLE oauth_clients ADD COLUMN jwks TEXT;

-- `serves` is the resource that the client is the server of; `origin` is who brought it here.
ALTER TABLE oauth_clients ADD COLUMN serves TEXT;
ALTER TABLE oauth_clients ADD COLUMN origin TEXT NOT NULL DEFAULT 'itself';
ALTER TABLE oauth_clients ADD COLUMN management_hash TEXT;

-- Proofs that are good once, until they expire anyway; the name of each is hashed.
CREATE TABLE oauth_spent_proofs (
    hash TEXT PRIMARY KEY,
    expires_at BIGINT NOT NULL
);

CREATE INDEX oauth_spent_proofs_by_end ON oauth_spent_proofs (expires_at);

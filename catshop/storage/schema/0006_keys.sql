-- The keys that sign access tokens in JWT format. The private half is sealed with the key file, so
-- that this table alone signs nothing. `expires_at` is set once a successor is there.

CREATE TABLE oauth_keys (
    kid TEXT PRIMARY KEY,
    public_key TEXT NOT NULL,
    sealed_key TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    signs_from BIGINT NOT NULL,
    expires_at BIGINT
);

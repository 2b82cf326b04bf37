-- The authorization server: who may call, through what, until when.
-- Secrets are SHA-256 in hexadecimal, passwords argon2id, time is milliseconds since 1970-01-01 UTC.
-- No table here refers to the shop, and none of the shop to these.

CREATE TABLE oauth_users (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    folded_name TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    disabled_at BIGINT
);

-- `used_at` is when the client first got a token; one that never did is forgotten some day.
CREATE TABLE oauth_clients (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    redirect_uris TEXT NOT NULL,
    grant_types TEXT NOT NULL,
    scopes TEXT NOT NULL,
    application_type TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    used_at BIGINT
);

-- A request of /authorize until its user has decided; `browser` is the hash of the cookie's value.
CREATE TABLE oauth_requests (
    id TEXT PRIMARY KEY,
    browser TEXT NOT NULL,
    client_id TEXT NOT NULL REFERENCES oauth_clients (id) ON DELETE CASCADE,
    redirect_uri TEXT NOT NULL,
    state TEXT,
    code_challenge TEXT NOT NULL,
    scopes TEXT NOT NULL,
    resource TEXT NOT NULL,
    error TEXT,
    error_description TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE INDEX oauth_requests_of_a_browser ON oauth_requests (browser);
CREATE INDEX oauth_requests_by_end ON oauth_requests (expires_at);

CREATE TABLE oauth_sessions (
    browser TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES oauth_users (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE INDEX oauth_sessions_of_a_user ON oauth_sessions (user_id);

-- A family is one grant; every token that comes of it ends with it. No user: the client itself.
CREATE TABLE oauth_families (
    id TEXT PRIMARY KEY,
    client_id TEXT NOT NULL REFERENCES oauth_clients (id) ON DELETE CASCADE,
    user_id TEXT REFERENCES oauth_users (id) ON DELETE CASCADE,
    scopes TEXT NOT NULL,
    resource TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT
);

CREATE INDEX oauth_families_of_a_user ON oauth_families (user_id);
CREATE INDEX oauth_families_of_a_client ON oauth_families (client_id);

-- A redeemed code is kept as long as what it issued, so that a replay is known for what it is.
CREATE TABLE oauth_codes (
    hash TEXT PRIMARY KEY,
    client_id TEXT NOT NULL REFERENCES oauth_clients (id) ON DELETE CASCADE,
    user_id TEXT NOT NULL REFERENCES oauth_users (id) ON DELETE CASCADE,
    redirect_uri TEXT NOT NULL,
    code_challenge TEXT NOT NULL,
    scopes TEXT NOT NULL,
    resource TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    tries BIGINT NOT NULL DEFAULT 0,
    redeemed_at BIGINT,
    family_id TEXT REFERENCES oauth_families (id) ON DELETE CASCADE
);

CREATE INDEX oauth_codes_by_end ON oauth_codes (expires_at);
CREATE INDEX oauth_codes_of_a_family ON oauth_codes (family_id);
CREATE INDEX oauth_codes_of_a_user ON oauth_codes (user_id);

CREATE TABLE oauth_access_tokens (
    hash TEXT PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    family_id TEXT NOT NULL REFERENCES oauth_families (id) ON DELETE CASCADE,
    scopes TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE INDEX oauth_access_tokens_of_a_family ON oauth_access_tokens (family_id);
CREATE INDEX oauth_access_tokens_by_end ON oauth_access_tokens (expires_at);

CREATE TABLE oauth_refresh_tokens (
    hash TEXT PRIMARY KEY,
    family_id TEXT NOT NULL REFERENCES oauth_families (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('live', 'rotated', 'spent')),
    rotated_at BIGINT,
    successor TEXT
);

CREATE INDEX oauth_refresh_tokens_of_a_family ON oauth_refresh_tokens (family_id);

-- The rule of rotation, held by the database itself: at most one live refresh token in a family.
CREATE UNIQUE INDEX oauth_one_live_refresh_token ON oauth_refresh_tokens (family_id)
WHERE state = 'live';

-- What was tried of late: one row for each attempt in each bucket; the bucket's name is hashed.
CREATE TABLE oauth_attempts (
    attempt TEXT NOT NULL,
    bucket TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (bucket, attempt)
);

CREATE INDEX oauth_attempts_by_name ON oauth_attempts (attempt);
CREATE INDEX oauth_attempts_by_age ON oauth_attempts (at);

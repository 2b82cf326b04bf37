-- The way to the upstream issuer and back, who came from there, and what is asked there again.
-- `state` and `browser` are hashes; `sealed` is the upstream's refresh token, closed with our key.

CREATE TABLE oauth_trips (
    state TEXT PRIMARY KEY,
    browser TEXT NOT NULL,
    request_id TEXT NOT NULL REFERENCES oauth_requests (id) ON DELETE CASCADE,
    scopes TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE INDEX oauth_trips_of_a_request ON oauth_trips (request_id);
CREATE INDEX oauth_trips_by_end ON oauth_trips (expires_at);

-- A subject is somebody only together with its issuer.
CREATE TABLE oauth_residents (
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    user_id TEXT NOT NULL REFERENCES oauth_users (id) ON DELETE CASCADE,
    PRIMARY KEY (issuer, subject)
);

CREATE INDEX oauth_residents_of_a_user ON oauth_residents (user_id);

-- Kept a moment before its code is, so it cannot refer to it.
CREATE TABLE oauth_upstream_tokens (
    code TEXT PRIMARY KEY,
    sealed TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    claimed_until BIGINT NOT NULL DEFAULT 0
);

CREATE INDEX oauth_upstream_tokens_by_age ON oauth_upstream_tokens (created_at);

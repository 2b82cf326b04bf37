-- Devices that wait until their users have typed a code and decided. Both codes are kept as hashes;
-- `code` is the hash of the authorization code that consent has made, `pause` is in seconds.

CREATE TABLE oauth_devices (
    id TEXT PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE,
    user_code TEXT NOT NULL UNIQUE,
    client_id TEXT NOT NULL REFERENCES oauth_clients (id) ON DELETE CASCADE,
    code_challenge TEXT NOT NULL,
    scopes TEXT NOT NULL,
    resource TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    pause BIGINT NOT NULL,
    polled_at BIGINT,
    state TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'denied')),
    code TEXT
);

CREATE INDEX oauth_devices_by_end ON oauth_devices (expires_at);

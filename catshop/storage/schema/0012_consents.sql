-- What a user has agreed to, for one client at one address and one resource. `fingerprint` is of the
-- client as it was then; whoever has changed since is asked about again.

CREATE TABLE oauth_consents (
    user_id TEXT NOT NULL REFERENCES oauth_users (id) ON DELETE CASCADE,
    client_id TEXT NOT NULL REFERENCES oauth_clients (id) ON DELETE CASCADE,
    redirect_uri TEXT NOT NULL,
    resource TEXT NOT NULL,
    scopes TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    given_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, client_id, redirect_uri, resource)
);

CREATE INDEX oauth_consents_of_a_client ON oauth_consents (client_id);

ALTER TABLE oauth_requests ADD COLUMN prompt TEXT NOT NULL DEFAULT '';

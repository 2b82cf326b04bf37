-- Whom a subject of another issuer stands for here: one user, or one client.

CREATE TABLE oauth_links (
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    user_id TEXT REFERENCES oauth_users (id) ON DELETE CASCADE,
    client_id TEXT REFERENCES oauth_clients (id) ON DELETE CASCADE,
    PRIMARY KEY (issuer, subject),
    CHECK ((user_id IS NULL) <> (client_id IS NULL))
);

CREATE INDEX oauth_links_of_a_user ON oauth_links (user_id);
CREATE INDEX oauth_links_of_a_client ON oauth_links (client_id);

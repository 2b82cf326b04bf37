-- Keys that a token is bound to: the thumbprint of the one that whoever shows the token must hold.
-- `dpop_jkt` is the key that a code will be redeemed with, where its client said so beforehand.

ALTER TABLE oauth_requests ADD COLUMN dpop_jkt TEXT;
ALTER TABLE oauth_codes ADD COLUMN dpop_jkt TEXT;
ALTER TABLE oauth_access_tokens ADD COLUMN jkt TEXT;
ALTER TABLE oauth_refresh_tokens ADD COLUMN jkt TEXT;
ALTER TABLE oauth_clients ADD COLUMN dpop_bound BIGINT NOT NULL DEFAULT 0;

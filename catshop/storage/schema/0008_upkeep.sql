-- Indexes for the clean-up, which holds the write lock: whatever it looks for or takes along is found
-- without reading a whole table, however much strangers have put there.

CREATE INDEX oauth_requests_of_a_client ON oauth_requests (client_id);
CREATE INDEX oauth_codes_of_a_client ON oauth_codes (client_id);
CREATE INDEX oauth_devices_of_a_client ON oauth_devices (client_id);

CREATE INDEX oauth_sessions_by_end ON oauth_sessions (expires_at);
CREATE INDEX oauth_families_by_end ON oauth_families (expires_at);
CREATE INDEX oauth_unredeemed_codes_by_end ON oauth_codes (expires_at) WHERE redeemed_at IS NULL;
CREATE INDEX oauth_refresh_tokens_by_rotation ON oauth_refresh_tokens (rotated_at)
WHERE state <> 'live';
CREATE INDEX oauth_unused_clients_by_age ON oauth_clients (created_at)
WHERE used_at IS NULL AND origin = 'itself';

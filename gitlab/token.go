package gitlab

import (
	"context"
	"fmt"
	"time"

	api "gitlab.com/gitlab-org/api/client-go/v2"
)

// TokenExpiry returns when the client's token expires: the end of the day before the one
// that GitLab names, from whose midnight (UTC) on it is refused. The zero time is of a
// token that does not expire
// (https://docs.gitlab.com/api/personal_access_tokens/#get-details-on-a-personal-access-token).
func (c *Client) TokenExpiry(ctx context.Context) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	t, _, err := c.api.PersonalAccessTokens.GetSinglePersonalAccessToken(api.WithContext(ctx))
	if err != nil {
		return time.Time{}, fmt.Errorf("ask GitLab when the token expires: %w", err)
	}
	if t.ExpiresAt == nil {
		return time.Time{}, nil
	}
	return time.Time(*t.ExpiresAt).UTC(), nil
}

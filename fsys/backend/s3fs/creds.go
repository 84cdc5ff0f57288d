package s3fs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/leat-dev/leat/internal/httpwire"
)

// A source is one place where credentials may be.
type source struct {
	name string
	credentials.Provider
}

// A keyring finds credentials and keeps them until they expire. It is safe
// for concurrent use.
type keyring struct {
	client *http.Client // for roles; nil when no source needs one

	mu      chan struct{} // held while looking up; a channel, so that waiting ends with ctx
	sources []source
	current *source
	value   credentials.Value
	none    error     // why requests go unsigned, once that is known
	look    time.Time // when to look again; a machine's role may be late
}

// newKeyring lists the places to look, the narrowest first.
func newKeyring(s *settings) *keyring {
	k := &keyring{mu: make(chan struct{}, 1)}
	if s.Anonymous {
		k.none = errors.New("requests are not signed, as was asked for")
		return k
	}
	if s.AccessKey != "" || s.SecretKey != "" {
		v := credentials.Value{AccessKeyID: s.AccessKey, SecretAccessKey: s.SecretKey, SessionToken: s.SessionToken, SignerType: credentials.SignatureV4}
		k.sources = []source{{"the options", &credentials.Static{Value: v}}}
		return k
	}
	// A profile named in the options is meant, whatever the environment has.
	if s.Profile == "" || s.Profile == os.Getenv("AWS_PROFILE") {
		k.sources = append(k.sources, source{"AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", &credentials.EnvAWS{}})
	}
	k.sources = append(k.sources, source{"the AWS files", &credentials.FileAWSCredentials{Profile: s.Profile}})
	if hasRole() || s.endpoint == nil && os.Getenv("AWS_EC2_METADATA_DISABLED") != "true" {
		// Off the cloud nobody answers at the metadata address.
		k.client = &http.Client{Transport: httpwire.NewTransport(&httpwire.Options{DialTimeout: time.Second}), Timeout: 5 * time.Second}
		k.sources = append(k.sources, source{"the role of this machine", &credentials.IAM{Client: k.client}})
	}
	return k
}

// hasRole reports whether the environment promises a role.
func hasRole() bool {
	for _, name := range []string{"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"} {
		if os.Getenv(name) != "" {
			return true
		}
	}
	return false
}

// get returns the credentials to sign with; none, and no error, where no
// source has any. It may wait for the network.
func (k *keyring) get(ctx context.Context) (credentials.Value, error) {
	select {
	case k.mu <- struct{}{}:
	case <-ctx.Done():
		return credentials.Value{}, ctx.Err()
	}
	defer func() { <-k.mu }()
	if k.none != nil && (k.client == nil || time.Now().Before(k.look)) {
		return credentials.Value{}, nil
	}
	if k.current != nil && !k.current.IsExpired() {
		return k.value, nil
	}
	if k.current != nil {
		return k.renew(ctx)
	}
	var why []error
	for i := range k.sources {
		v, err := retrieve(ctx, k.sources[i], k.client)
		if ctx.Err() != nil {
			return credentials.Value{}, ctx.Err()
		}
		if err == nil && v.AccessKeyID != "" && v.SecretAccessKey != "" {
			k.current, k.value, k.none = &k.sources[i], v, nil
			return v, nil
		}
		if err == nil {
			err = errors.New("none there")
		}
		why = append(why, fmt.Errorf("%s: %w", k.sources[i].name, err))
	}
	k.look = time.Now().Add(30 * time.Second)
	k.none = fmt.Errorf("no credentials were found, so the request was not signed; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE (looked in: %w)", joined(why))
	return credentials.Value{}, nil
}

// renew asks the source of the expired credentials again.
func (k *keyring) renew(ctx context.Context) (credentials.Value, error) {
	v, err := retrieve(ctx, *k.current, k.client)
	if err != nil {
		return credentials.Value{}, fmt.Errorf("renewing the credentials from %s: %w", k.current.name, err)
	}
	k.value = v
	return v, nil
}

// retrieve asks one source.
func retrieve(ctx context.Context, s source, client *http.Client) (credentials.Value, error) {
	if client == nil {
		client = http.DefaultClient
	}
	return s.RetrieveWithCredContext(&credentials.CredContext{Client: client, Context: ctx})
}

// unsigned says why requests go out without a signature, or nil.
func (k *keyring) unsigned(ctx context.Context) error {
	select {
	case k.mu <- struct{}{}:
	case <-ctx.Done():
		return nil
	}
	defer func() { <-k.mu }()
	return k.none
}

func (k *keyring) close() {
	if k.client != nil {
		k.client.CloseIdleConnections()
	}
}

// joined is errors.Join on one line.
type joined []error

func (j joined) Error() string {
	s := ""
	for i, err := range j {
		if i > 0 {
			s += "; "
		}
		s += err.Error()
	}
	return s
}

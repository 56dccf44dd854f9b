package instance

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"
)

// tlsConfig is the section "tls" of the configuration file.
type tlsConfig struct {
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
}

func (c tlsConfig) scheme() string {
	if c.CertFile == "" {
		return "http"
	}
	return "https"
}

// wrap makes a listener speak TLS, if there is a certificate. Its error closes the
// listener.
func (c tlsConfig) wrap(l net.Listener) (net.Listener, error) {
	if c.CertFile == "" {
		return l, nil
	}
	files := &certificateFiles{tlsConfig: c}
	if _, err := files.certificate(nil); err != nil {
		return nil, errors.Join(fmt.Errorf("tls: %w", err), l.Close())
	}
	return tls.NewListener(l, &tls.Config{
		MinVersion: tls.VersionTLS12, GetCertificate: files.certificate, NextProtos: []string{"h2", "http/1.1"},
	}), nil
}

// certificateFiles reads the certificate again when its file has changed: it lives for
// weeks, the program for longer.
type certificateFiles struct {
	tlsConfig
	mu      sync.Mutex
	read    *tls.Certificate
	changed time.Time
}

func (f *certificateFiles) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(f.CertFile)
	if err == nil && f.read != nil && info.ModTime().Equal(f.changed) {
		return f.read, nil
	}
	if err == nil {
		var fresh tls.Certificate
		if fresh, err = tls.LoadX509KeyPair(f.CertFile, f.KeyFile); err == nil {
			f.read, f.changed = &fresh, info.ModTime()
		}
	}
	if f.read == nil {
		return nil, err
	}
	return f.read, nil // the one before, should the files be half written
}

package auth

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"

	"dagwright/dag"
)

// MinKey is how long the text of a key must be at least, in bytes.
const MinKey = 32

// sealer encrypts what leaves the program's memory: the provider's tokens, for the
// database, and a sign-in under way, for the browser (AES-256-GCM).
type sealer struct{ aead cipher.AEAD }

func newSealer(key dag.Secret) (*sealer, error) {
	if len(key.Reveal()) < MinKey {
		return nil, fmt.Errorf("the key has %d bytes; want %d or more, such as the output of: openssl rand -hex 32",
			len(key.Reveal()), MinKey)
	}
	sum := sha256.Sum256([]byte("dagwright seal\x00" + key.Reveal()))
	block, err := aes.NewCipher(sum[:])
	if err != nil {
		return nil, fmt.Errorf("make cipher: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("make cipher: %w", err)
	}
	return &sealer{aead}, nil
}

// seal encrypts a text for a purpose; only open with the same purpose undoes it. An
// empty text stays empty.
func (s *sealer) seal(purpose, text string) string {
	if text == "" {
		return ""
	}
	nonce := make([]byte, s.aead.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nonce, nonce, []byte(text), []byte(purpose)))
}

// open decrypts. The error says nothing of the text.
func (s *sealer) open(purpose, sealed string) (string, error) {
	if sealed == "" {
		return "", nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil || len(raw) < s.aead.NonceSize() {
		return "", errors.New("not sealed by this instance")
	}
	text, err := s.aead.Open(nil, raw[:s.aead.NonceSize()], raw[s.aead.NonceSize():], []byte(purpose))
	if err != nil {
		return "", errors.New("not sealed by this instance, or with another key")
	}
	return string(text), nil
}

// digest is what the store keeps of something that is presented.
func digest(presented string) string {
	sum := sha256.Sum256([]byte(presented))
	return hex.EncodeToString(sum[:])
}

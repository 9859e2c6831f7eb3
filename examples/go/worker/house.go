package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const fresh = time.Minute

// A House knows the keys that commands are signed with; see docs/agents-remote.md.
type House struct {
	keys map[string]ed25519.PublicKey // by id; several while the house changes its key
	seen map[string]time.Time         // when a command was made, by its id
}

// houseOf takes the public keys that `smolit agent house-key` shows, with commas between.
func houseOf(keys string) (*House, error) {
	house := &House{map[string]ed25519.PublicKey{}, map[string]time.Time{}}
	for _, open := range strings.Split(keys, ",") {
		open = strings.TrimSpace(open)
		key, err := base64.StdEncoding.DecodeString(open)
		if err != nil || len(key) != ed25519.PublicKeySize {
			return nil, errors.New("SMOLIT_HOUSE_KEY is missing or no key: it is what `smolit agent house-key` shows")
		}
		house.keys[keyID(open)] = key
	}
	return house, nil
}

// keyID returns how a public key, base64, is named.
func keyID(open string) string {
	name := sha256.Sum256([]byte(open))
	return hex.EncodeToString(name[:])[:16]
}

// refuses says why a command must not be done: it is not by the house, for another topic, not of now, or was there before.
// Empty: it may be done. It may say when its answer comes too late, and to which session of ours it is said.
func (h *House) refuses(record *kgo.Record, command Command, session string, now time.Time) string {
	found := map[string]string{}
	for _, header := range record.Headers {
		if _, twice := found[header.Key]; twice {
			return "unsigned"
		}
		found[header.Key] = string(header.Value)
	}
	lines := []string{"smolit:command:1"}
	for _, name := range []string{"ce_audience", "ce_type", "ce_source", "ce_id", "ce_time"} {
		text, there := found[name]
		if !there {
			return "unsigned"
		}
		lines = append(lines, text)
	}
	if found["ce_signature"] == "" || found["ce_keyid"] == "" {
		return "unsigned"
	}
	key, known := h.keys[found["ce_keyid"]]
	if !known {
		return "unknown_key"
	}
	digest := sha256.Sum256(record.Value)
	content := strings.Join(append(lines, hex.EncodeToString(digest[:])), "\n")
	signature, err := base64.StdEncoding.DecodeString(found["ce_signature"])
	if err != nil || !ed25519.Verify(key, []byte(content), signature) {
		return "forged"
	}
	if found["ce_audience"] != record.Topic {
		return "foreign_pool"
	}
	made, err := time.Parse(time.RFC3339Nano, found["ce_time"])
	if err != nil || now.Sub(made).Abs() > fresh || command.Due != nil && !command.Due.After(now) {
		return "late"
	}
	if command.Session != "" && command.Session != session {
		return "late"
	}
	return h.first(found["ce_id"], made, now)
}

// first remembers a command as long as it would be fresh, and says if it was there before.
func (h *House) first(id string, made, now time.Time) string {
	if _, before := h.seen[id]; before {
		return "replayed"
	}
	for old, when := range h.seen {
		if now.Sub(when) > fresh {
			delete(h.seen, old)
		}
	}
	h.seen[id] = made
	return ""
}

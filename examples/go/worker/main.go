// An agent that lives outside of smolit: it factors whole numbers. go run ./worker POOL [NAME]; see docs/agents-remote.md.
package main

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	source   = "examples/go" // with our name it says who we are: an answer counts only from who has the attempt
	capacity = 2
	chunk    = 1 << 20 // divisions between two looks at whether anybody still wants the answer
)

// prefix is the first part of every topic's name.
var prefix = cmp.Or(os.Getenv("SMOLIT_TOPIC_PREFIX"), "smolit")

var number = regexp.MustCompile(`\d+`)

// A Key is what we sign with, and how it is named; made by `smolit agent key examples/go#NAME --make FILE`.
type Key struct {
	secret ed25519.PrivateKey
	id     string
}

// keyOf reads our key: a seed of 32 bytes, base64. Without a file nothing is signed.
func keyOf(path string) (*Key, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	seed, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, errors.New("the key is not 32 bytes in base64")
	}
	secret := ed25519.NewKeyFromSeed(seed)
	open := base64.StdEncoding.EncodeToString(secret.Public().(ed25519.PublicKey))
	return &Key{secret, keyID(open)}, nil
}

// vouched returns the headers that vouch for what we say: topic, type, source, id, time and every byte of the value.
func (k *Key) vouched(topic string, covered [4]string, value []byte) []kgo.RecordHeader {
	if k == nil {
		return nil
	}
	digest := sha256.Sum256(value)
	lines := []string{"smolit:worker:1", topic, covered[0], covered[1], covered[2], covered[3], hex.EncodeToString(digest[:])}
	signature := ed25519.Sign(k.secret, []byte(strings.Join(lines, "\n")))
	return []kgo.RecordHeader{
		{Key: "ce_keyid", Value: []byte(k.id)},
		{Key: "ce_signature", Value: []byte(base64.StdEncoding.EncodeToString(signature))},
	}
}

// A Claim names an attempt and the claim under which we have it.
type Claim struct {
	TaskID  string `json:"task_id"`
	Attempt int    `json:"attempt"`
	Epoch   int    `json:"epoch"`
}

// A Command is what we are told: to do an attempt, or to drop it.
type Command struct {
	Claim
	Source  string     `json:"source"`
	Worker  string     `json:"worker"`
	Text    string     `json:"text"`
	Due     *time.Time `json:"due"`
	Session string     `json:"session"` // ours, or that of the run before
}

// A Worker is what we are, and what we are at.
type Worker struct {
	client  *kgo.Client
	name    string
	pool    string
	key     *Key
	house   *House
	session string // names this run of ours
	lock    sync.Mutex
	holding map[Claim]context.CancelFunc
	told    map[string]time.Time // when we last reported, by reason
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	name := fmt.Sprintf("go-%d", os.Getpid())
	if len(os.Args) > 2 {
		name = os.Args[2]
	}
	if err := work(ctx, os.Args[1], name); err != nil && !errors.Is(err, context.Canceled) {
		log.Fatal(err) // whoever started us starts us again, and what we held goes to another worker
	}
}

// work goes to the ends of the pool's topic, announces itself, and does what it is told until it is told to stop.
func work(ctx context.Context, pool, name string) error {
	key, err := keyOf(os.Getenv("SMOLIT_WORKER_KEY"))
	if err != nil {
		return err
	}
	house, err := houseOf(os.Getenv("SMOLIT_HOUSE_KEY"))
	if err != nil {
		return err
	}
	client, err := fromHere(ctx, prefix+".work."+pool+".v1")
	if err != nil {
		return err
	}
	defer client.Close()
	worker := &Worker{
		client: client, name: name, pool: pool, key: key, house: house, session: rand.Text(),
		holding: map[Claim]context.CancelFunc{}, told: map[string]time.Time{},
	}
	announced := map[string]any{"worker": name, "pool": pool, "capacity": capacity, "about": "factors whole numbers, in Go"}
	if err := worker.say(ctx, "worker.announce", announced, worker.session); err != nil {
		return err
	}
	fmt.Println("announced")
	go worker.live(ctx)
	for ctx.Err() == nil {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			break
		}
		for _, record := range fetches.Records() {
			worker.take(ctx, record)
		}
	}
	return worker.beat(context.Background(), 0)
}

// fromHere connects, and settles where reading begins: at the end of each partition as of now. Whatever is meant for us comes
// after our announcement.
func fromHere(ctx context.Context, topic string) (*kgo.Client, error) {
	kafka := os.Getenv("SMOLIT_KAFKA")
	if kafka == "" {
		kafka = "127.0.0.1:19092"
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(kafka, ",")...))
	if err != nil {
		return nil, err
	}
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, topic)
	if err = errors.Join(err, ends.Error()); err != nil {
		client.Close()
		return nil, err
	}
	client.AddConsumePartitions(ends.KOffsets())
	return client, nil
}

// live shows that we live, and what we are at: the leases of that are renewed, and of nothing else.
func (w *Worker) live(ctx context.Context) {
	for range time.Tick(time.Second) {
		if ctx.Err() != nil {
			return
		}
		if err := w.beat(ctx, capacity); err != nil {
			log.Print(err)
		}
	}
}

func (w *Worker) beat(ctx context.Context, room int) error {
	w.lock.Lock()
	held := make([]Claim, 0, len(w.holding))
	for claim := range w.holding {
		held = append(held, claim)
	}
	w.lock.Unlock()
	return w.say(ctx, "worker.beat", map[string]any{"worker": w.name, "pool": w.pool, "capacity": room, "holding": held}, rand.Text())
}

// say sends a CloudEvent in binary mode; an answer that is sent again under the same id counts once.
func (w *Worker) say(ctx context.Context, kind string, data any, id string) error {
	value, err := json.Marshal(data)
	if err != nil {
		return err
	}
	topic, kind, now := prefix+".requests.v1", "smolit."+kind+".v1", time.Now().UTC().Format(time.RFC3339Nano)
	headers := []kgo.RecordHeader{
		{Key: "ce_specversion", Value: []byte("1.0")},
		{Key: "ce_type", Value: []byte(kind)},
		{Key: "ce_source", Value: []byte(source)},
		{Key: "ce_id", Value: []byte(id)},
		{Key: "ce_time", Value: []byte(now)},
		{Key: "content-type", Value: []byte("application/json")},
	}
	headers = append(headers, w.key.vouched(topic, [4]string{kind, source, id, now}, value)...)
	record := &kgo.Record{Topic: topic, Value: value, Headers: headers}
	return w.client.ProduceSync(ctx, record).FirstErr()
}

// report tells the house that somebody else gives commands in its name, once a second for each reason.
func (w *Worker) report(ctx context.Context, reason string, record *kgo.Record) {
	if time.Since(w.told[reason]) < time.Second {
		return
	}
	w.told[reason] = time.Now()
	place := fmt.Sprintf("%s/%d/%d", record.Topic, record.Partition, record.Offset)
	refused := map[string]any{"worker": w.name, "pool": w.pool, "reason": reason, "place": place}
	if err := w.say(ctx, "command.refuse", refused, rand.Text()); err != nil {
		log.Print(err)
	}
}

// take takes a command that is for us, if the house gave it, for this pool, and now.
func (w *Worker) take(ctx context.Context, record *kgo.Record) {
	var command Command
	if err := json.Unmarshal(record.Value, &command); err != nil {
		log.Print(err)
		return
	}
	if command.Source != source || command.Worker != w.name {
		return
	}
	if reason := w.house.refuses(record, command, w.session, time.Now()); reason != "" {
		w.report(ctx, reason, record)
		return
	}
	w.lock.Lock()
	defer w.lock.Unlock()
	stop, held := w.holding[command.Claim]
	switch {
	case typeOf(record) == "smolit.attempt.drop.v1" && held:
		stop()
		delete(w.holding, command.Claim)
	case typeOf(record) == "smolit.attempt.do.v1" && !held:
		mine, cancel := context.WithCancel(ctx)
		w.holding[command.Claim] = cancel
		go w.attempt(mine, command)
	}
}

func typeOf(record *kgo.Record) string {
	for _, header := range record.Headers {
		if header.Key == "ce_type" {
			return string(header.Value)
		}
	}
	return ""
}

// attempt does an attempt, and answers under its claim.
func (w *Worker) attempt(ctx context.Context, command Command) {
	began := time.Now()
	answer := map[string]any{
		"worker": w.name, "task_id": command.TaskID, "attempt": command.Attempt, "epoch": command.Epoch,
	}
	factors, err := factor(ctx, command.Text)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		answer["outcome"], answer["reason"], answer["detail"] = "failed", "not_a_number", err.Error()
	} else {
		answer["outcome"], answer["output"] = "completed", map[string]any{"factors": factors}
	}
	answer["steps"] = []map[string]any{{"name": "divide", "duration_us": time.Since(began).Microseconds(), "model": "trial-division/1"}}
	id := fmt.Sprintf("%s/%d/%d", command.TaskID, command.Attempt, command.Epoch)
	if err := w.say(ctx, "attempt.answer", answer, id); err != nil {
		log.Print(err)
	}
	w.lock.Lock()
	delete(w.holding, command.Claim)
	w.lock.Unlock()
}

// factor returns the prime factors of the number in a text, smallest first.
func factor(ctx context.Context, text string) ([]string, error) {
	left, err := strconv.ParseUint(number.FindString(text), 10, 63)
	if err != nil || left < 2 {
		return nil, errors.New("there is no whole number from 2 to 2^63 in the text")
	}
	var factors []string
	for divisor, steps := uint64(2), 1; divisor*divisor <= left; divisor, steps = divisor+1+divisor%2, steps+1 {
		for left%divisor == 0 {
			factors = append(factors, strconv.FormatUint(divisor, 10))
			left /= divisor
		}
		if steps%chunk == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	if left > 1 {
		factors = append(factors, strconv.FormatUint(left, 10))
	}
	return factors, nil
}

// Submit a task to smolit, wait for its answer, say what it was worth: go run . TEXT [KIND].
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	source   = "examples/go" // who asks: with the request's id it names the request for ever
	requests = "smolit.requests.v1"
	answers  = "smolit.answers.v1"
	wait     = 60 * time.Second
)

var errNotCompleted = errors.New("the task was refused, or ended without a result")

// An Answer holds what we need of an answer, or of a refusal, which has no outcome.
type Answer struct {
	RequestedBy string `json:"requested_by"`
	RequestID   string `json:"request_id"`
	TaskID      string `json:"task_id"`
	Outcome     string `json:"outcome"`
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	if err := submit(ctx, os.Args[1], os.Args[2:]); err != nil {
		log.Fatal(err) // ends with 1
	}
}

// submit asks for one task, prints its answer and says what it was worth.
func submit(ctx context.Context, text string, kind []string) error {
	client, err := fromHere(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	task := map[string]any{"text": text}
	if len(kind) > 0 {
		task["kind"] = kind[0]
	}
	id, err := ask(ctx, client, "smolit.task.submit.v1", task)
	if err != nil {
		return err
	}
	answer, err := answerTo(ctx, client, id)
	if err != nil {
		return err
	}
	if answer.Outcome != "completed" {
		return errNotCompleted
	}
	judged := map[string]any{"task_id": answer.TaskID, "rater": source, "kind": "score", "value": 1.0}
	_, err = ask(ctx, client, "smolit.feedback.give.v1", judged)
	return err
}

// fromHere connects, and settles where reading begins: at the end of each partition as of now, so that no answer is missed.
func fromHere(ctx context.Context) (*kgo.Client, error) {
	kafka := os.Getenv("SMOLIT_KAFKA")
	if kafka == "" {
		kafka = "127.0.0.1:19092"
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(kafka, ",")...))
	if err != nil {
		return nil, err
	}
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, answers)
	if err = errors.Join(err, ends.Error()); err != nil {
		client.Close()
		return nil, err
	}
	client.AddConsumePartitions(ends.KOffsets())
	return client, nil
}

// ask sends a request as a CloudEvent in binary mode, and returns its id once Kafka has it.
func ask(ctx context.Context, client *kgo.Client, kind string, data any) (string, error) {
	value, err := json.Marshal(data)
	if err != nil {
		return "", err
	}
	id := rand.Text()
	record := &kgo.Record{Topic: requests, Value: value, Headers: []kgo.RecordHeader{
		{Key: "ce_specversion", Value: []byte("1.0")},
		{Key: "ce_type", Value: []byte(kind)},
		{Key: "ce_source", Value: []byte(source)},
		{Key: "ce_id", Value: []byte(id)},
		{Key: "content-type", Value: []byte("application/json")},
	}}
	return id, client.ProduceSync(ctx, record).FirstErr()
}

// answerTo prints and returns the answer to our request; others' are passed over.
func answerTo(ctx context.Context, client *kgo.Client, id string) (Answer, error) {
	for {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return Answer{}, fmt.Errorf("waiting for the answer: %w", err)
		}
		for _, record := range fetches.Records() {
			var answer Answer
			if err := json.Unmarshal(record.Value, &answer); err != nil {
				return Answer{}, err
			}
			if answer.RequestedBy == source && answer.RequestID == id {
				fmt.Println(string(record.Value))
				return answer, nil
			}
		}
	}
}

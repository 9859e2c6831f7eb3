// Submit a task to smolit, wait for its answer, say what it was worth: java -cp 'JARS/*' Submit.java TEXT [KIND].

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

public class Submit {
    private static final String SOURCE = "examples/java"; // who asks: with the request's id it names the request for ever
    private static final String REQUESTS = "smolit.requests.v1";
    private static final String ANSWERS = "smolit.answers.v1";
    private static final Duration WAIT = Duration.ofSeconds(60);
    private static final ObjectMapper JSON = new ObjectMapper();

    public static void main(String[] arguments) throws Exception {
        System.exit(submit(arguments[0], arguments.length > 1 ? arguments[1] : null));
    }

    /** Submit one task; return 0 if it was completed, 1 if it was refused or ended otherwise. */
    private static int submit(String text, String kind) throws Exception {
        Map<String, Object> kafka = Map.of("bootstrap.servers", System.getenv().getOrDefault("SMOLIT_KAFKA", "127.0.0.1:19092"));
        try (var producer = new KafkaProducer<>(kafka, new StringSerializer(), new StringSerializer());
                var answers = new KafkaConsumer<>(kafka, new StringDeserializer(), new StringDeserializer())) {
            fromHere(answers); // before we ask, so that no answer is missed
            var task = JSON.createObjectNode().put("text", text).put("kind", kind);
            String requestId = ask(producer, "smolit.task.submit.v1", task);
            JsonNode answer = answerTo(answers, requestId);
            System.out.println(answer.toPrettyString());
            if (!answer.path("outcome").asText().equals("completed")) {
                return 1;
            }
            var judged = JSON.createObjectNode().put("task_id", answer.get("task_id").asText()).put("rater", SOURCE);
            ask(producer, "smolit.feedback.give.v1", judged.put("kind", "score").put("value", 1.0));
            return 0;
        }
    }

    /** Settle where reading begins: at the end of each partition as of now. No group is needed, and none is joined. */
    private static void fromHere(KafkaConsumer<String, String> answers) {
        var known = answers.partitionsFor(ANSWERS).stream();
        var partitions = known.map(one -> new TopicPartition(one.topic(), one.partition())).toList();
        answers.assign(partitions);
        answers.endOffsets(partitions).forEach(answers::seek);
    }

    /** Send a request as a CloudEvent in binary mode; return its id once Kafka has it. */
    private static String ask(KafkaProducer<String, String> producer, String type, ObjectNode data) throws Exception {
        String id = UUID.randomUUID().toString();
        var attributes = Map.of("ce_specversion", "1.0", "ce_type", type, "ce_source", SOURCE, "ce_id", id);
        var record = new ProducerRecord<String, String>(REQUESTS, JSON.writeValueAsString(data));
        attributes.forEach((name, content) -> record.headers().add(name, content.getBytes(StandardCharsets.UTF_8)));
        record.headers().add("content-type", "application/json".getBytes(StandardCharsets.UTF_8));
        producer.send(record).get();
        return id;
    }

    /** Return the answer to our request; others' are passed over. */
    private static JsonNode answerTo(KafkaConsumer<String, String> answers, String requestId) throws Exception {
        for (var until = Instant.now().plus(WAIT); Instant.now().isBefore(until); ) {
            for (var record : answers.poll(Duration.ofSeconds(1))) {
                JsonNode answer = JSON.readTree(record.value());
                if (answer.path("requested_by").asText().equals(SOURCE) && answer.path("request_id").asText().equals(requestId)) {
                    return answer;
                }
            }
        }
        throw new TimeoutException("no answer within " + WAIT.toSeconds() + " seconds");
    }
}

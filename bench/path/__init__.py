"""`smolit bench path`: what one task costs on its whole way, beside what Kafka alone would cost."""

"""How well and how fast knowledge is searched, and answers are drawn from it: `smolit bench knowledge`."""

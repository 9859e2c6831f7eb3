"""The chat's front agent: is it a task or talk, what is to be remembered, what is missing, and what is answered."""

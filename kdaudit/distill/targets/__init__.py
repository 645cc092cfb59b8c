"""What a student learns from: teachers' answers, stored or live."""

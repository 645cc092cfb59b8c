"""Language models as subjects: what they are asked, what they write, and how that is graded."""

"""What a contract can show: before any model runs, and after an audit."""

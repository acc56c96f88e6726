"""The checks of `refunds doctor`: each looks at one part, changes nothing, and says what to do."""

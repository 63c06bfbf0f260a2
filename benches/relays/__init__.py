"""What is measured: netrelay and its peers, each started, found ready and ended the same way."""

"""Files of RTNeural, which runs small networks in real time."""

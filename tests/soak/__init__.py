"""Long life: what an hour of traffic leaves behind."""

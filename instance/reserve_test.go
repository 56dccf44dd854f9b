package instance

// The tests open databases by the hundred: the room kept for each must not fill the disk.
func init() { databaseReserve = 64 << 10 }

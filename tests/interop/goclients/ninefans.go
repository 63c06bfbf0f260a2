package main

import (
	"io"

	"9fans.net/go/plan9"
	"9fans.net/go/plan9/client"
)

// ninefans is the client of plan9port's programs in Go: 9P2000.
type ninefans struct{ fsys *client.Fsys }

func mount9fans(address string) (tree, error) {
	connection, err := client.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	fsys, err := connection.Attach(nil, "glenda", "")
	return ninefans{fsys}, err
}

func (n ninefans) open(path string, mode access) (io.ReadWriteCloser, error) {
	flags := map[access]uint8{reading: plan9.OREAD, both: plan9.ORDWR}
	return n.fsys.Open(path, flags[mode])
}

func (n ninefans) list(path string) ([]string, error) {
	fid, err := n.fsys.Open(path, plan9.OREAD)
	if err != nil {
		return nil, err
	}
	defer fid.Close()
	entries, err := fid.Dirreadall()
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name)
	}
	return names, err
}

package main

import (
	"io"
	"net"
	"strings"

	"github.com/hugelgupf/p9/p9"
)

// hugelgupf is gVisor's client on its own: 9P2000.L.
type hugelgupf struct{ root p9.File }

func mountHugelgupf(address string) (tree, error) {
	connection, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	client, err := p9.NewClient(connection)
	if err != nil {
		return nil, err
	}
	root, err := client.Attach("")
	return hugelgupf{root}, err
}

func (h hugelgupf) walked(path string, mode p9.OpenFlags) (p9.File, error) {
	_, file, err := h.root.Walk(strings.Split(path, "/"))
	if err != nil {
		return nil, err
	}
	_, _, err = file.Open(mode)
	return file, err
}

func (h hugelgupf) open(path string, mode access) (io.ReadWriteCloser, error) {
	flags := map[access]p9.OpenFlags{reading: p9.ReadOnly, both: p9.ReadWrite}
	file, err := h.walked(path, flags[mode])
	return &cursor{file: file}, err
}

func (h hugelgupf) list(path string) ([]string, error) {
	file, err := h.walked(path, p9.ReadOnly)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var names []string
	for offset := uint64(0); ; {
		entries, err := file.Readdir(offset, 100)
		if err != nil || len(entries) == 0 {
			return names, err
		}
		for _, entry := range entries {
			names = append(names, entry.Name)
			offset = entry.Offset
		}
	}
}

// A cursor is a file with an offset, which that client leaves to its caller.
type cursor struct {
	file   p9.File
	offset int64
}

func (c *cursor) Read(into []byte) (int, error) {
	count, err := c.file.ReadAt(into, c.offset)
	c.offset += int64(count)
	if count == 0 && err == nil {
		err = io.EOF
	}
	return count, err
}

func (c *cursor) Write(from []byte) (int, error) {
	count, err := c.file.WriteAt(from, c.offset)
	c.offset += int64(count)
	return count, err
}

func (c *cursor) Seek(offset int64, _ int) (int64, error) {
	c.offset = offset
	return offset, nil
}

func (c *cursor) Close() error { return c.file.Close() }

// Goclients drives a gateway with 9P clients written in Go by others, one scenario a run.
//
//	goclients 9fans|hugelgupf ADDR list PATH
//	goclients … dial HOST!PORT       says "over there", prints what comes until the end
//	goclients … sum HOST!PORT        prints how many bytes come, and their SHA-256
//	goclients … full HOST!PORT N     prints the first N bytes, read with io.ReadFull
//	goclients … call                 announces, prints the local address, takes a call, echoes it
//	goclients … cs QUERY             prints the answer
//
// An error goes to standard error in the client's own words, and the exit status is 1.
package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"strings"
)

// A tree is a mounted gateway, as one of the clients has it.
type tree interface {
	open(path string, mode access) (io.ReadWriteCloser, error)
	list(path string) ([]string, error)
}

type access int

const (
	reading access = iota
	both
)

func main() {
	if len(os.Args) < 4 {
		fail(fmt.Errorf("usage: goclients CLIENT ADDR SCENARIO [ARGUMENT]"))
	}
	mounts := map[string]func(string) (tree, error){"9fans": mount9fans, "hugelgupf": mountHugelgupf}
	mounted, err := mounts[os.Args[1]](os.Args[2])
	if err == nil {
		err = scenarios[os.Args[3]](mounted, strings.Join(os.Args[4:], " "))
	}
	if err != nil {
		fail(err)
	}
}

var scenarios = map[string]func(tree, string) error{
	"list": list, "dial": dial, "sum": sum, "full": full, "call": call, "cs": cs,
}

func list(from tree, path string) error {
	names, err := from.list(path)
	fmt.Println(strings.Join(names, " "))
	return err
}

func dial(from tree, address string) error {
	data, err := connect(from, address)
	if err != nil {
		return err
	}
	defer data.Close()
	if _, err := data.Write([]byte("over there")); err != nil {
		return err
	}
	_, err = io.Copy(os.Stdout, data)
	return err
}

func sum(from tree, address string) error {
	data, err := connect(from, address)
	if err != nil {
		return err
	}
	defer data.Close()
	seen := sha256.New()
	count, err := io.Copy(seen, data)
	fmt.Printf("%d %x\n", count, seen.Sum(nil))
	return err
}

func full(from tree, arguments string) error {
	var address string
	var count int
	if _, err := fmt.Sscan(arguments, &address, &count); err != nil {
		return err
	}
	data, err := connect(from, address)
	if err != nil {
		return err
	}
	defer data.Close()
	said := make([]byte, count)
	count, err = io.ReadFull(data, said)
	fmt.Print(string(said[:count]))
	return err
}

func call(from tree, _ string) error {
	ctl, number, err := clone(from)
	if err != nil {
		return err
	}
	defer ctl.Close()
	if _, err := ctl.Write([]byte("announce 127.0.0.1!0")); err != nil {
		return err
	}
	local, err := text(from, "net/tcp/"+number+"/local")
	if err != nil {
		return err
	}
	fmt.Println(strings.TrimSpace(local))
	taken, err := from.open("net/tcp/"+number+"/listen", both)
	if err != nil {
		return err
	}
	defer taken.Close()
	caller, err := once(taken)
	if err != nil {
		return err
	}
	data, err := from.open("net/tcp/"+caller+"/data", both)
	if err != nil {
		return err
	}
	defer data.Close()
	said, err := once(data)
	if err != nil {
		return err
	}
	_, err = data.Write([]byte(said))
	return err
}

func cs(from tree, query string) error {
	file, err := from.open("net/cs", both)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.Write([]byte(query)); err != nil {
		return err
	}
	if seeker, ok := file.(io.Seeker); ok {
		if _, err := seeker.Seek(0, io.SeekStart); err != nil {
			return err
		}
	}
	answer, err := once(file)
	fmt.Println(answer)
	return err
}

// connect makes a call; its data. The conversation lasts as long as that is open.
func connect(from tree, address string) (io.ReadWriteCloser, error) {
	ctl, number, err := clone(from)
	if err != nil {
		return nil, err
	}
	defer ctl.Close()
	if _, err := ctl.Write([]byte("connect " + address)); err != nil {
		return nil, err
	}
	return from.open("net/tcp/"+number+"/data", both)
}

// clone opens a new conversation; its ctl and its number.
func clone(from tree) (io.ReadWriteCloser, string, error) {
	ctl, err := from.open("net/tcp/clone", both)
	if err != nil {
		return nil, "", err
	}
	number, err := once(ctl)
	return ctl, number, err
}

func text(from tree, path string) (string, error) {
	file, err := from.open(path, reading)
	if err != nil {
		return "", err
	}
	defer file.Close()
	return once(file)
}

// once is what one read brings.
func once(file io.Reader) (string, error) {
	buffer := make([]byte, 4096)
	count, err := file.Read(buffer)
	return string(buffer[:count]), err
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

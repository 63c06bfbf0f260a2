module netrelay/tests/interop/goclients

go 1.23.0

require (
	9fans.net/go v0.0.8-0.20250307142834-96bdba94b63f
	github.com/hugelgupf/p9 v0.3.0
)

require (
	github.com/u-root/uio v0.0.0-20230305220412-3e8cd9d6bf63 // indirect
	golang.org/x/sys v0.11.0 // indirect
)

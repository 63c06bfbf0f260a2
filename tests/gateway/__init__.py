"""A whole gateway over sockets: each rule of docs/tree.md, on both cores."""

"""Several hosts on one machine: network namespaces with a gateway in the middle."""

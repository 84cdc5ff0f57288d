package sched

import (
	"maps"
	"slices"
)

// A Center is the table of who has what: the keys of values and the
// addresses of the workers that hold them. It belongs to one goroutine. The
// zero value is not usable; call [NewCenter].
type Center struct {
	whoHas  map[string]map[string]bool
	hasWhat map[string]map[string]bool
	inst    map[string]string
}

// NewCenter returns an empty table.
func NewCenter() *Center {
	return &Center{whoHas: map[string]map[string]bool{}, hasWhat: map[string]map[string]bool{}, inst: map[string]string{}}
}

// Register notes that the worker at address holds keys, beside those it held
// before. An instance other than the last one at this address means a worker
// that was restarted: what the old one held is forgotten first. An empty
// instance is like the last one.
func (c *Center) Register(address, instance string, keys []string) {
	if old := c.inst[address]; instance != "" && old != "" && old != instance {
		c.Unregister(address, slices.Collect(maps.Keys(c.hasWhat[address])))
	}
	if instance != "" {
		c.inst[address] = instance
	}
	if c.hasWhat[address] == nil {
		c.hasWhat[address] = map[string]bool{}
	}
	for _, k := range keys {
		c.hasWhat[address][k] = true
		if c.whoHas[k] == nil {
			c.whoHas[k] = map[string]bool{}
		}
		c.whoHas[k][address] = true
	}
}

// Unregister notes that the worker at address no longer holds keys. Keys and
// addresses that are not known are passed over. The address stays listed.
func (c *Center) Unregister(address string, keys []string) {
	for _, k := range keys {
		delete(c.hasWhat[address], k)
		delete(c.whoHas[k], address)
		if len(c.whoHas[k]) == 0 {
			delete(c.whoHas, k)
		}
	}
}

// Remove forgets an address with all it held.
func (c *Center) Remove(address string) {
	c.Unregister(address, slices.Collect(maps.Keys(c.hasWhat[address])))
	delete(c.hasWhat, address)
	delete(c.inst, address)
}

// WhoHas returns for each of keys the addresses that hold it, sorted; an
// empty list where nobody does.
func (c *Center) WhoHas(keys []string) map[string][]string {
	out := make(map[string][]string, len(keys))
	for _, k := range keys {
		list := slices.Sorted(maps.Keys(c.whoHas[k]))
		if list == nil {
			list = []string{}
		}
		out[k] = list
	}
	return out
}

// List returns all addresses that ever registered and were not removed,
// sorted.
func (c *Center) List() []string { return slices.Sorted(maps.Keys(c.hasWhat)) }

package graph

import (
	"cmp"
	"slices"
)

// sweeps is how often the layers are ordered; more changes little.
const sweeps = 8

// order sorts each layer by the mean position of the neighbours, forth and
// back by turns, and keeps the members of a group together.
func (l *layout) order() {
	for sweep := range sweeps {
		l.setGroupKeys()
		if sweep%2 == 0 {
			for i := 1; i < len(l.layers); i++ {
				l.sortLayer(i, func(it *item) []int { return it.in })
			}
			continue
		}
		for i := len(l.layers) - 2; i >= 0; i-- {
			l.sortLayer(i, func(it *item) []int { return it.out })
		}
	}
	l.setGroupKeys()
	for i := range l.layers {
		l.sortLayer(i, func(*item) []int { return nil })
	}
}

// setGroupKeys gives every item of a group the group's mean relative position
// over all layers, so that groups stand in the same order in each.
func (l *layout) setGroupKeys() {
	sum, count := map[string]float64{}, map[string]float64{}
	for i := range l.items {
		it := &l.items[i]
		it.groupKey = l.place(it)
		sum[it.group] += it.groupKey
		count[it.group]++
	}
	for i := range l.items {
		if it := &l.items[i]; it.group != "" {
			it.groupKey = sum[it.group] / count[it.group]
		}
	}
}

// place is where an item stands in its layer, from -0.5 to 0.5.
func (l *layout) place(it *item) float64 {
	return (float64(it.pos)+0.5)/float64(len(l.layers[it.layer])) - 0.5
}

// sortLayer orders one layer by group and then by the mean place of the
// neighbours; an item without neighbours keeps its own place.
func (l *layout) sortLayer(layer int, neighbours func(*item) []int) {
	type key struct {
		group float64
		name  string
		own   float64
	}
	keys := make(map[int]key, len(l.layers[layer]))
	for _, i := range l.layers[layer] {
		it := &l.items[i]
		own := l.place(it)
		if ns := neighbours(it); len(ns) > 0 {
			own = 0
			for _, n := range ns {
				own += l.place(&l.items[n])
			}
			own /= float64(len(ns))
		}
		k := key{group: own, own: own}
		if it.group != "" {
			k.group, k.name = it.groupKey, it.group
		}
		keys[i] = k
	}
	slices.SortStableFunc(l.layers[layer], func(a, b int) int {
		ka, kb := keys[a], keys[b]
		return cmp.Or(cmp.Compare(ka.group, kb.group), cmp.Compare(ka.name, kb.name), cmp.Compare(ka.own, kb.own))
	})
	for pos, i := range l.layers[layer] {
		l.items[i].pos = pos
	}
}

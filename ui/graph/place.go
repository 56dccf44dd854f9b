package graph

import (
	"math"
	"unicode/utf8"
)

// Layout places the nodes and edges. Edges that name no node, lead from a node
// to itself, repeat another or would close a circle are left out. Node ids
// must be unique.
func Layout(nodes []Node, edges []Edge) Drawing {
	l := newLayout(nodes, edges)
	l.assignLayers()
	l.addBends()
	l.order()
	l.align()
	return l.draw()
}

// align finds the vertical places: each item as level with its neighbours as
// the order of its layer allows.
func (l *layout) align() {
	for _, layer := range l.layers {
		offset := l.offsets(layer)
		for k, i := range layer {
			l.items[i].y = offset[k] - offset[len(layer)-1]/2
		}
	}
	for round := range 6 {
		if round%2 == 0 {
			for k := 1; k < len(l.layers); k++ {
				l.alignLayer(l.layers[k], func(it *item) []int { return it.in })
			}
			continue
		}
		for k := len(l.layers) - 2; k >= 0; k-- {
			l.alignLayer(l.layers[k], func(it *item) []int { return it.out })
		}
	}
}

// offsets is how far each item of a layer must be from the first, at least.
func (l *layout) offsets(layer []int) []float64 {
	offset := make([]float64, len(layer))
	for k := 1; k < len(layer); k++ {
		offset[k] = offset[k-1] + l.distance(&l.items[layer[k-1]], &l.items[layer[k]])
	}
	return offset
}

// distance is the least one between the middles of two items of a layer.
func (l *layout) distance(a, b *item) float64 {
	d := float64(lineGap)
	if a.node >= 0 || b.node >= 0 {
		d = rowGap
	}
	for _, it := range []*item{a, b} {
		if it.node >= 0 {
			d += nodeHeight / 2
		}
	}
	if a.group != b.group {
		d += framePad
		if b.group != "" {
			d += frameTitle
		}
	}
	return d
}

// alignLayer moves a layer's items as near as possible, by least squares, to
// the mean of their neighbours while they keep their order and distances
// (isotonic regression by pooling adjacent violators).
func (l *layout) alignLayer(layer []int, neighbours func(*item) []int) {
	type pool struct{ sum, count float64 }
	offset := l.offsets(layer)
	var pools []pool
	for k, i := range layer {
		it := &l.items[i]
		wish := it.y
		if ns := neighbours(it); len(ns) > 0 {
			wish = 0
			for _, n := range ns {
				wish += l.items[n].y
			}
			wish /= float64(len(ns))
		}
		pools = append(pools, pool{wish - offset[k], 1})
		for n := len(pools); n > 1 && pools[n-2].sum/pools[n-2].count >= pools[n-1].sum/pools[n-1].count; n-- {
			pools[n-2].sum += pools[n-1].sum
			pools[n-2].count += pools[n-1].count
			pools = pools[:n-1]
		}
	}
	k := 0
	for _, p := range pools {
		for range int(p.count) {
			l.items[layer[k]].y = p.sum/p.count + offset[k]
			k++
		}
	}
}

// draw turns places into pixels.
func (l *layout) draw() Drawing {
	var d Drawing
	width := l.nodeWidth()
	top := math.Inf(1)
	for i := range l.items {
		top = math.Min(top, l.items[i].y)
	}
	// A frame needs room above its first row.
	up := float64(margin + nodeHeight/2)
	if l.hasGroups() {
		up += framePad + frameTitle
	}
	left := func(it *item) int { return margin + framePad + it.layer*(width+columnGap) }
	middle := func(it *item) int { return int(math.Round(it.y - top + up)) }

	for i := range l.nodes {
		it := &l.items[i]
		b := Box{Node: l.nodes[i], X: left(it), Y: middle(it) - nodeHeight/2, W: width, H: nodeHeight}
		d.Boxes = append(d.Boxes, b)
		d.W, d.H = max(d.W, b.X+b.W), max(d.H, b.Y+b.H)
	}
	for i, path := range l.paths {
		d.Lines = append(d.Lines, Line{Edge: l.edges[i], Points: l.points(path, width, left, middle)})
	}
	for i := range l.items {
		d.H = max(d.H, middle(&l.items[i]))
	}
	d.W += margin + framePad
	d.H += margin + framePad
	d.Frames = frames(d.Boxes)
	return d
}

// points is the way of one edge: out of a box on the right, straight through
// the columns that it passes, into a box on the left.
func (l *layout) points(path []int, width int, left, middle func(*item) int) []Point {
	first, last := &l.items[path[0]], &l.items[path[len(path)-1]]
	points := []Point{{left(first) + width, middle(first)}}
	for _, i := range path[1 : len(path)-1] {
		it := &l.items[i]
		points = append(points, Point{left(it), middle(it)}, Point{left(it) + width, middle(it)})
	}
	return append(points, Point{left(last), middle(last)})
}

// nodeWidth fits the longest label, within limits.
func (l *layout) nodeWidth() int {
	longest := 0
	for _, n := range l.nodes {
		longest = max(longest, utf8.RuneCountInString(n.Label))
	}
	return min(max(longest*glyphWidth+labelLeft+12, minNodeWidth), maxNodeWidth)
}

func (l *layout) hasGroups() bool {
	for _, n := range l.nodes {
		if n.Group != "" {
			return true
		}
	}
	return false
}

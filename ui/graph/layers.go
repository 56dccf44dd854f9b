package graph

// item is a node in its layer, or a bend: a place where a long edge passes a
// layer between two boxes.
type item struct {
	node     int // index into the nodes, -1 for a bend
	group    string
	layer    int
	pos      int     // index in the layer
	y        float64 // of the middle
	in, out  []int   // neighbours in the layer before and after
	groupKey float64 // orders groups alike in every layer
}

// layout is the work in progress.
type layout struct {
	nodes  []Node
	edges  []Edge
	ends   [][2]int // node indices of each edge
	paths  [][]int  // items that each edge passes, both ends included
	items  []item   // the nodes first, in their order
	layers [][]int
}

// newLayout indexes the graph. Edges that name no node, loop, repeat another
// or would close a circle are left out, so that every edge can go forward.
func newLayout(nodes []Node, edges []Edge) *layout {
	l := &layout{nodes: nodes}
	index := make(map[string]int, len(nodes))
	for i, n := range nodes {
		index[n.ID] = i
		l.items = append(l.items, item{node: i, group: n.Group})
	}
	seen := make(map[[2]int]bool, len(edges))
	for _, e := range edges {
		from, ok1 := index[e.From]
		to, ok2 := index[e.To]
		pair := [2]int{from, to}
		if !ok1 || !ok2 || from == to || seen[pair] {
			continue
		}
		seen[pair] = true
		l.edges = append(l.edges, e)
		l.ends = append(l.ends, pair)
	}
	l.dropBackEdges()
	return l
}

// dropBackEdges removes the edges that lead back to a node on the way from
// which they are reached.
func (l *layout) dropBackEdges() {
	const (
		onWay = 1
		done  = 2
	)
	out := l.outgoing()
	state := make([]int, len(l.nodes))
	next := make([]int, len(l.nodes))
	back := make([]bool, len(l.ends))
	for root := range l.nodes {
		if state[root] != 0 {
			continue
		}
		way := []int{root}
		state[root] = onWay
		for len(way) > 0 {
			n := way[len(way)-1]
			if next[n] == len(out[n]) {
				state[n] = done
				way = way[:len(way)-1]
				continue
			}
			e := out[n][next[n]]
			next[n]++
			switch to := l.ends[e][1]; state[to] {
			case onWay:
				back[e] = true
			case 0:
				state[to] = onWay
				way = append(way, to)
			}
		}
	}
	var edges []Edge
	var ends [][2]int
	for i := range l.ends {
		if !back[i] {
			edges, ends = append(edges, l.edges[i]), append(ends, l.ends[i])
		}
	}
	l.edges, l.ends = edges, ends
}

// outgoing lists the edges that leave each node.
func (l *layout) outgoing() [][]int {
	out := make([][]int, len(l.nodes))
	for i, e := range l.ends {
		out[e[0]] = append(out[e[0]], i)
	}
	return out
}

// assignLayers puts each node one layer behind the last of those before it.
func (l *layout) assignLayers() {
	out := l.outgoing()
	waits := make([]int, len(l.nodes))
	for _, e := range l.ends {
		waits[e[1]]++
	}
	var ready []int
	for n, w := range waits {
		if w == 0 {
			ready = append(ready, n)
		}
	}
	for len(ready) > 0 {
		n := ready[0]
		ready = ready[1:]
		for _, e := range out[n] {
			to := l.ends[e][1]
			l.items[to].layer = max(l.items[to].layer, l.items[n].layer+1)
			if waits[to]--; waits[to] == 0 {
				ready = append(ready, to)
			}
		}
	}
}

// addBends gives every edge that spans several layers an item in each layer
// between its ends, and fills the layers.
func (l *layout) addBends() {
	bends := 0
	for _, e := range l.ends {
		path := []int{e[0]}
		from, to := l.items[e[0]].layer, l.items[e[1]].layer
		if span := to - from - 1; bends+span <= maxBends {
			bends += span
			for layer := from + 1; layer < to; layer++ {
				l.items = append(l.items, item{node: -1, layer: layer, group: l.bendGroup(e)})
				path = append(path, len(l.items)-1)
			}
		}
		l.paths = append(l.paths, append(path, e[1]))
	}
	for _, path := range l.paths {
		for i := 1; i < len(path); i++ {
			a, b := path[i-1], path[i]
			l.items[a].out = append(l.items[a].out, b)
			l.items[b].in = append(l.items[b].in, a)
		}
	}
	depth := 0
	for _, it := range l.items {
		depth = max(depth, it.layer+1)
	}
	l.layers = make([][]int, depth)
	for i := range l.items {
		it := &l.items[i]
		it.pos = len(l.layers[it.layer])
		l.layers[it.layer] = append(l.layers[it.layer], i)
	}
}

// bendGroup keeps an edge inside the frame when both its ends are.
func (l *layout) bendGroup(e [2]int) string {
	if g := l.nodes[e[0]].Group; g == l.nodes[e[1]].Group {
		return g
	}
	return ""
}

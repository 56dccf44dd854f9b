package graph

import (
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// parse reads "a -> b c; b -> d" and "group/name" into nodes and edges.
func parse(text string) ([]Node, []Edge) {
	var nodes []Node
	var edges []Edge
	known := map[string]bool{}
	add := func(id string) {
		if known[id] {
			return
		}
		known[id] = true
		n := Node{ID: id, Label: id, Mark: "✓", Class: "s-success", Detail: "success", Href: "/t/" + id, Title: id}
		if group, name, ok := strings.Cut(id, "/"); ok {
			n.Group, n.Label = group, name
		}
		nodes = append(nodes, n)
	}
	for part := range strings.SplitSeq(text, ";") {
		from, to, _ := strings.Cut(part, "->")
		from = strings.TrimSpace(from)
		if from == "" {
			continue
		}
		add(from)
		for name := range strings.FieldsSeq(to) {
			add(name)
			edges = append(edges, Edge{from, name})
		}
	}
	return nodes, edges
}

func TestSVGGolden(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"one":     "run_model",
		"chain":   "prepare_data -> train_model; train_model -> evaluate_model; evaluate_model -> register_model",
		"diamond": "start -> left right; left -> end; right -> end; start -> end",
		"groups":  "start -> features/load features/clean; features/load -> features/join; features/clean -> features/join; features/join -> train/a train/b; train/a -> end; train/b -> end",
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nodes, edges := parse(text)
			got := string(SVG(Layout(nodes, edges), "Tasks of "+name))
			path := filepath.Join("testdata", name+".svg")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("drawing (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSVGEscapesEveryText(t *testing.T) {
	t.Parallel()
	const hostile = `"><script>alert(1)</script>&%s`
	node := Node{ID: "a", Label: hostile, Detail: hostile, Mark: hostile, Class: hostile, Group: hostile, Href: hostile,
		Title: hostile}
	got := string(SVG(Layout([]Node{node}, nil), hostile))
	if strings.Contains(got, "<script") {
		t.Errorf("unescaped text in %s", got)
	}
	for d := xml.NewDecoder(strings.NewReader(got)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("not well-formed: %v\n%s", err, got)
		}
	}
}

func TestLayoutAlignsAChain(t *testing.T) {
	t.Parallel()
	d := Layout(parse("a -> b; b -> c; c -> d"))
	for _, b := range d.Boxes[1:] {
		if b.Y != d.Boxes[0].Y {
			t.Errorf("%s is at height %d, want %d: a chain is a straight line", b.ID, b.Y, d.Boxes[0].Y)
		}
	}
}

func TestLayoutUncrossesTwoChains(t *testing.T) {
	t.Parallel()
	d := Layout(parse("a; b; y; x; a -> x; b -> y; x -> p; y -> q"))
	y := map[string]int{}
	for _, b := range d.Boxes {
		y[b.ID] = b.Y
	}
	if (y["a"] < y["b"]) != (y["x"] < y["y"]) {
		t.Errorf("the chains a-x and b-y cross: %v", y)
	}
}

func TestLayoutDropsWhatCannotGoForward(t *testing.T) {
	t.Parallel()
	d := Layout([]Node{{ID: "a"}, {ID: "b"}, {ID: "c"}},
		[]Edge{{"a", "b"}, {"b", "c"}, {"c", "a"}, {"a", "a"}, {"a", "b"}, {"a", "nobody"}})
	var got []Edge
	for _, l := range d.Lines {
		got = append(got, l.Edge)
	}
	if diff := cmp.Diff([]Edge{{"a", "b"}, {"b", "c"}}, got); diff != "" {
		t.Errorf("edges (-want +got):\n%s", diff)
	}
}

func TestLayoutFrames(t *testing.T) {
	t.Parallel()
	nodes, edges := parse("start -> g/a g/b h/c; g/a -> g/d; g/b -> g/d; h/c -> end; g/d -> end")
	d := Layout(nodes, edges)
	if len(d.Frames) != 2 {
		t.Fatalf("%d frames, want 2: %+v", len(d.Frames), d.Frames)
	}
	for _, f := range d.Frames {
		if f.X < 0 || f.Y < 0 || f.X+f.W > d.W || f.Y+f.H > d.H {
			t.Errorf("frame %+v leaves the drawing of %d × %d", f, d.W, d.H)
		}
	}
	checkDrawing(t, nodes, d)
}

// checkDrawing fails when a node is missing or overlaps another, an edge does
// not go forward, or something leaves the drawing.
func checkDrawing(t *testing.T, nodes []Node, d Drawing) {
	t.Helper()
	if len(d.Boxes) != len(nodes) {
		t.Fatalf("%d boxes for %d nodes", len(d.Boxes), len(nodes))
	}
	at := map[string]Box{}
	columns := map[int][]Box{}
	for _, b := range d.Boxes {
		if b.X < 0 || b.Y < 0 || b.X+b.W > d.W || b.Y+b.H > d.H {
			t.Errorf("box %q at %d,%d leaves the drawing of %d × %d", b.ID, b.X, b.Y, d.W, d.H)
		}
		for _, o := range columns[b.X] {
			if b.Y < o.Y+o.H && o.Y < b.Y+b.H {
				t.Errorf("boxes %q and %q overlap", b.ID, o.ID)
			}
		}
		columns[b.X] = append(columns[b.X], b)
		at[b.ID] = b
	}
	for _, l := range d.Lines {
		if from, to := at[l.From], at[l.To]; from.X+from.W >= to.X {
			t.Errorf("edge %v goes back: %d to %d", l.Edge, from.X+from.W, to.X)
		}
		for i := 1; i < len(l.Points); i++ {
			if l.Points[i].X <= l.Points[i-1].X {
				t.Errorf("edge %v turns back at point %d", l.Edge, i)
			}
		}
	}
}

// fromBytes makes a graph of up to 64 nodes from fuzz input: each pair of
// bytes is an edge, the first byte chooses sizes and groups.
func fromBytes(data []byte) ([]Node, []Edge) {
	if len(data) == 0 {
		return nil, nil
	}
	n := int(data[0]%64) + 1
	nodes := make([]Node, n)
	for i := range nodes {
		nodes[i] = Node{ID: fmt.Sprint(i), Label: strings.Repeat("n", i)}
		if group := int(data[len(data)-1]) % 5; group > 0 && i%2 == 0 {
			nodes[i].Group = fmt.Sprint("group", i%group)
		}
	}
	var edges []Edge
	for i := 1; i+1 < len(data); i += 2 {
		edges = append(edges, Edge{fmt.Sprint(int(data[i]) % n), fmt.Sprint(int(data[i+1]) % (n + 1))})
	}
	return nodes, edges
}

func FuzzLayout(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{0})
	f.Add([]byte{4, 0, 1, 1, 2, 2, 3, 3, 0})
	f.Add([]byte{63, 0, 9, 9, 30, 0, 62, 1, 62, 2, 62, 62, 5, 5, 4, 4, 3})
	f.Add([]byte("a longer text makes many edges between its letters, forth and back"))
	f.Fuzz(func(t *testing.T, data []byte) {
		nodes, edges := fromBytes(data)
		d := Layout(nodes, edges)
		checkDrawing(t, nodes, d)
		if again := Layout(nodes, edges); !cmp.Equal(d, again) {
			t.Error("two layouts of one graph differ")
		}
	})
}

// layered is a graph of n nodes, eight in a layer, each with two before it.
func layered(n int) ([]Node, []Edge) {
	var nodes []Node
	var edges []Edge
	for i := range n {
		nodes = append(nodes, Node{ID: fmt.Sprint(i), Label: fmt.Sprint("task_", i)})
		for _, back := range []int{8, 13} {
			if i >= back {
				edges = append(edges, Edge{fmt.Sprint(i - back), fmt.Sprint(i)})
			}
		}
	}
	return nodes, edges
}

func TestLayoutLarge(t *testing.T) {
	t.Parallel()
	nodes, edges := layered(300)
	checkDrawing(t, nodes, Layout(nodes, edges))
}

func TestLayoutDenseIsBounded(t *testing.T) {
	t.Parallel()
	var nodes []Node
	var edges []Edge
	for i := range 150 {
		nodes = append(nodes, Node{ID: fmt.Sprint(i)})
		for k := range i {
			edges = append(edges, Edge{fmt.Sprint(k), fmt.Sprint(i)})
		}
	}
	l := newLayout(nodes, edges)
	l.assignLayers()
	l.addBends()
	if bends := len(l.items) - len(nodes); bends > maxBends {
		t.Errorf("%d bends, want at most %d", bends, maxBends)
	}
}

func BenchmarkLayout(b *testing.B) {
	for _, n := range []int{10, 200, 1000} {
		nodes, edges := layered(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Layout(nodes, edges)
			}
		})
	}
}

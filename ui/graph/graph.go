// Package graph lays out a directed graph from left to right and draws it as
// SVG, for the page that shows a DAG's tasks.
//
// The layout is the classic layered one: longest-path layers, a few sweeps
// that order each layer by the mean position of its neighbours, and then a
// placement that draws neighbours level with each other. It is pure: the same
// nodes and edges in the same order give the same drawing, byte for byte.
package graph

// Node is one box of the drawing.
type Node struct {
	ID    string // unique among the nodes; edges name it
	Label string
	// Detail is a short second line, such as the state in words.
	Detail string
	// Mark is one letter or sign that shows the state without colour.
	Mark string
	// Class is the CSS class that colours the box, such as "s-success".
	Class string
	// Group draws nodes of the same group in one frame, where that is possible
	// without enclosing others; empty for none.
	Group string
	// Href makes the box a link, where it is not empty.
	Href string
	// Title is shown when the pointer rests on the box.
	Title string
}

// Edge says that To follows From.
type Edge struct{ From, To string }

// Point is a place in the drawing, in CSS pixels from its top left corner.
type Point struct{ X, Y int }

// Box is a placed node, with its left top corner and size.
type Box struct {
	Node
	X, Y, W, H int
}

// Line is a drawn edge: from the right side of one box to the left side of
// another, by way of points that keep it clear of the boxes between them.
type Line struct {
	Edge
	Points []Point
}

// Frame is drawn around the nodes of one group.
type Frame struct {
	Name       string
	X, Y, W, H int
}

// Drawing is a finished layout.
type Drawing struct {
	W, H   int
	Boxes  []Box // in the order of the nodes given
	Lines  []Line
	Frames []Frame
}

// Sizes of the drawing, in CSS pixels.
const (
	nodeHeight   = 48
	minNodeWidth = 184
	maxNodeWidth = 280
	columnGap    = 56
	rowGap       = 20
	lineGap      = 10 // between lines that pass a layer
	framePad     = 12
	frameTitle   = 20
	margin       = 24
)

// maxBends bounds the memory for long edges; a graph that needs more gets
// straight lines for the rest.
const maxBends = 20_000

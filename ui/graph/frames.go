package graph

// frames draws a frame around each group, and leaves out one that would
// enclose a stranger or cut another frame.
func frames(boxes []Box) []Frame {
	var all []Frame
	index := map[string]int{}
	for _, b := range boxes {
		if b.Group == "" {
			continue
		}
		around := Frame{Name: b.Group, X: b.X - framePad, Y: b.Y - framePad - frameTitle,
			W: b.W + 2*framePad, H: b.H + 2*framePad + frameTitle}
		i, ok := index[b.Group]
		if !ok {
			index[b.Group] = len(all)
			all = append(all, around)
			continue
		}
		all[i] = union(all[i], around)
	}
	var clean []Frame
	for i, f := range all {
		if !f.cutsAny(boxes, all, i) {
			clean = append(clean, f)
		}
	}
	return clean
}

// cutsAny reports whether the frame touches a box of no member or any other
// frame.
func (f Frame) cutsAny(boxes []Box, all []Frame, self int) bool {
	for _, b := range boxes {
		if b.Group != f.Name && f.overlaps(b.X, b.Y, b.W, b.H) {
			return true
		}
	}
	for i, o := range all {
		if i != self && f.overlaps(o.X, o.Y, o.W, o.H) {
			return true
		}
	}
	return false
}

func (f Frame) overlaps(x, y, w, h int) bool {
	return x < f.X+f.W && f.X < x+w && y < f.Y+f.H && f.Y < y+h
}

func union(a, b Frame) Frame {
	x, y := min(a.X, b.X), min(a.Y, b.Y)
	return Frame{Name: a.Name, X: x, Y: y,
		W: max(a.X+a.W, b.X+b.W) - x, H: max(a.Y+a.H, b.Y+b.H) - y}
}

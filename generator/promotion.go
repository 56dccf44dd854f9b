package generator

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"dagwright/dag"
)

// Overlay is what a DAG must have otherwise in the instance that it is promoted
// to. Zero fields change nothing.
type Overlay struct {
	// Namespace is where the pods run.
	Namespace string `yaml:"namespace"`
	// Images replaces the beginning of images: registry, perhaps with a path.
	Images map[string]string `yaml:"images"`
	// Resources replaces each container's, by "requests" and "limits".
	Resources map[string]map[string]string `yaml:"resources"`
	// Tags are added.
	Tags []string `yaml:"tags"`
}

// Promote makes the spec of another instance out of the one at a path: the same
// DAG, with the overlay's differences, a mark of where it is from on each task
// ("<project>@<commit>" of the DAG repository), and everything else, comments
// included, as it is. The same arguments give the same bytes. The result can be
// loaded; the error is dag.ErrInvalid for a spec that cannot, or that has not
// exactly one DAG.
func Promote(file string, source []byte, o Overlay, from string) ([]byte, error) {
	before, err := dag.Parse(file, source)
	if err != nil {
		return nil, err
	}
	if len(before) != 1 {
		return nil, fmt.Errorf("%s defines %d DAGs, want one: %w", file, len(before), dag.ErrInvalid)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(source, &doc); err != nil {
		return nil, fmt.Errorf("read %s: %w: %w", file, err, dag.ErrInvalid)
	}
	spec := valueOf(doc.Content[0], string(before[0].ID))
	if spec == nil {
		return nil, fmt.Errorf("%s does not define %s at its top: %w", file, before[0].ID, dag.ErrInvalid)
	}
	if err := o.apply(spec, from); err != nil {
		return nil, fmt.Errorf("promote %s: %w", file, err)
	}
	var out bytes.Buffer
	e := yaml.NewEncoder(&out)
	e.SetIndent(2)
	if err := e.Encode(&doc); err != nil {
		return nil, fmt.Errorf("write %s: %w", file, err)
	}
	return out.Bytes(), checkPromoted(file, out.Bytes(), before[0])
}

// checkPromoted loads what a promotion made: it must be the DAG that it was.
func checkPromoted(file string, content []byte, before *dag.DAG) error {
	after, err := dag.Parse(file, content)
	if err != nil {
		return fmt.Errorf("the overlay makes %s a spec that cannot be loaded: %w: %w", path.Base(file), err, dag.ErrInvalid)
	}
	same := len(after) == 1 && after[0].ID == before.ID && len(after[0].Tasks) == len(before.Tasks)
	for i := 0; same && i < len(before.Tasks); i++ {
		same = keeps(after[0].Tasks[i], before.Tasks[i])
	}
	if !same {
		return fmt.Errorf(
			"%s shares parts between tasks by YAML merges (<<), which an overlay cannot tell apart: write them out: %w", file,
			dag.ErrInvalid)
	}
	return nil
}

// keeps reports whether a promoted task has every annotation that it had.
func keeps(after, before dag.Task) bool {
	had, _ := before.Pod["annotations"].(map[string]any)
	has, _ := after.Pod["annotations"].(map[string]any)
	for key, value := range had {
		if key != dag.AnnotationPromoted && has[key] != value {
			return false
		}
	}
	return after.ID == before.ID
}

func (o Overlay) apply(spec *yaml.Node, from string) error {
	tasks := resolved(valueOf(spec, "tasks"))
	if tasks == nil || tasks.Kind != yaml.SequenceNode {
		return fmt.Errorf("the spec has no list of tasks: %w", dag.ErrInvalid)
	}
	for _, task := range tasks.Content {
		if err := o.applyTask(resolved(task), from); err != nil {
			return err
		}
	}
	return o.addTags(spec)
}

func (o Overlay) applyTask(task *yaml.Node, from string) error {
	if o.Namespace != "" {
		set(task, "namespace", text(o.Namespace))
	}
	if image := valueOf(task, "image"); image != nil {
		if image.Kind == yaml.AliasNode {
			return fmt.Errorf(
				"line %d: image is an alias of another value, which an overlay cannot tell apart: write it out: %w", image.Line,
				dag.ErrInvalid)
		}
		image.Value = o.image(image.Value)
	}
	if o.Resources != nil {
		var node yaml.Node
		if err := node.Encode(o.Resources); err != nil {
			return fmt.Errorf("write resources: %w", err)
		}
		set(task, "container_resources", &node)
	}
	if from == "" {
		return nil
	}
	annotations := resolved(valueOf(task, "annotations"))
	if annotations == nil {
		annotations = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		set(task, "annotations", annotations)
	}
	set(annotations, dag.AnnotationPromoted, text(from))
	return nil
}

func text(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s} }

// resolved follows a YAML alias to what it stands for.
func resolved(n *yaml.Node) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// image replaces the longest beginning that ends where a part of the name does.
func (o Overlay) image(image string) string {
	longest := ""
	for from := range o.Images {
		rest, ok := strings.CutPrefix(image, from)
		if ok && len(from) > len(longest) && (rest == "" || strings.ContainsAny(rest[:1], "/:@")) {
			longest = from
		}
	}
	if longest == "" {
		return image
	}
	return o.Images[longest] + image[len(longest):]
}

func (o Overlay) addTags(spec *yaml.Node) error {
	if len(o.Tags) == 0 {
		return nil
	}
	var tags []string
	if present := valueOf(spec, "tags"); present != nil {
		if err := present.Decode(&tags); err != nil {
			return fmt.Errorf("tags: %w: %w", err, dag.ErrInvalid)
		}
	}
	for _, t := range o.Tags {
		if !slices.Contains(tags, t) {
			tags = append(tags, t)
		}
	}
	var node yaml.Node
	if err := node.Encode(tags); err != nil {
		return fmt.Errorf("write tags: %w", err)
	}
	node.Style = yaml.FlowStyle
	set(spec, "tags", &node)
	return nil
}

// valueOf returns the value of a mapping's key, nil when there is none.
func valueOf(n *yaml.Node, key string) *yaml.Node {
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// set replaces or adds a key of a mapping.
func set(n *yaml.Node, key string, value *yaml.Node) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			n.Content[i+1] = value
			return
		}
	}
	n.Content = append(n.Content, text(key), value)
}

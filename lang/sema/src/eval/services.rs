//! Services: the layers of one put together, each once per environment.

use super::layers::Place;
use super::{Eval, Evaluator, Slot, Stop, plain};
use crate::block;
use crate::codes;
use crate::names::Block;
use crate::program::ModuleId;
use dax_core::{Diagnostic, Name, ResourceAddr, Span};
use dax_ir::{Data, Need, Node, Via};
use std::collections::BTreeMap;
use std::rc::Rc;

impl<'a> Evaluator<'_, 'a> {
    /// The fields of a service in this environment.
    pub(super) fn service(&self, name: &Name, span: Span) -> Eval<Rc<Node>> {
        match self.services.borrow().get(name) {
            Some(Slot::Done(result)) => return result.clone(),
            Some(Slot::Running) => return self.circle(name, span),
            None => {}
        }
        if self.context.stop.is_some_and(|stop| stop()) {
            return Err(Stop);
        }
        let (Some(_), Some((module, block))) = (self.setup, self.context.service(name)) else {
            return Err(Stop);
        };
        self.services.borrow_mut().insert(name.clone(), Slot::Running);
        self.reading.borrow_mut().push((name.clone(), Vec::new()));
        let result = self.compute_service(module, block, name).map(Rc::new);
        if let Some((name, needs)) = self.reading.borrow_mut().pop() {
            self.reads.borrow_mut().insert(name, needs);
        }
        self.services.borrow_mut().insert(name.clone(), Slot::Done(result.clone()));
        result
    }

    fn compute_service(&self, module: ModuleId, block: &Block<'a>, name: &Name) -> Eval<Node> {
        let setup = self.setup.ok_or(Stop)?;
        let ty = self.context.block_type(module, block, false);
        let record = ty.record().ok_or(Stop)?;
        let own = block::assignments(block.body, record, &mut Vec::new());
        let mut node = Node { data: Data::Map(BTreeMap::new()), origin: plain(block.span) };
        let root = self.context.program.root;
        let place = Place { record: &ty, via: Via::Item, module, locals: &[] };
        let mut result = self.apply(&mut node, &own, &place);
        for (layers, via) in [(&setup.patches, Via::Patch), (&setup.sets, Via::Set)] {
            if let Some(all) = layers.get(name) {
                result =
                    result.and(self.apply(&mut node, all, &Place { via, module: root, ..place }));
            }
        }
        let node = self.conform(node, &ty);
        result.and(node)
    }

    fn circle<T>(&self, name: &Name, span: Span) -> Eval<T> {
        let reading = self.reading.borrow();
        let at = reading.iter().position(|(service, _)| service == name).unwrap_or(0);
        let circle: Vec<&str> = reading[at..].iter().map(|(service, _)| service.as_str()).collect();
        let detail = format!("{} → {name}", circle.join(" → "));
        let mut diagnostic = Diagnostic::new(codes::CIRCULAR_SERVICES, span, detail);
        for (service, needs) in &reading[at..] {
            if let Some(need) = needs.last() {
                diagnostic = diagnostic
                    .related(need.span, format!("`{service}` needs `{}` here", need.addr.name()));
            }
        }
        let help = "take one of the edges away, for example by giving the value a name with `let`";
        self.report(diagnostic.help(help));
        Err(Stop)
    }

    /// Notes that the service being evaluated reads another.
    pub(super) fn read(&self, service: &str, span: Span) {
        if let Some((_, needs)) = self.reading.borrow_mut().last_mut() {
            let need = Need { addr: ResourceAddr::service(service), span };
            if !needs.iter().any(|n| n.addr == need.addr) {
                needs.push(need);
            }
        }
    }
}

// The network, the private DNS zone and the cluster.
param location string
param kubernetesVersion string
param zone string

resource network 'Microsoft.Network/virtualNetworks@2025-05-01' = {
  name: 'platform'
  location: location
  properties: {
    addressSpace: {
      addressPrefixes: ['10.0.0.0/16']
    }
    subnets: [
      {
        name: 'nodes'
        properties: {
          addressPrefix: '10.0.0.0/20'
        }
      }
      {
        name: 'endpoints'
        properties: {
          addressPrefix: '10.0.16.0/24'
        }
      }
    ]
  }
}

resource privateZone 'Microsoft.Network/privateDnsZones@2024-06-01' = {
  name: zone
  location: 'global'
}

resource zoneLink 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = {
  parent: privateZone
  name: 'platform'
  location: 'global'
  properties: {
    registrationEnabled: false
    virtualNetwork: {
      id: network.id
    }
  }
}

resource clusterIdentity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'cluster'
  location: location
}

// Network Contributor, a built-in role
resource clusterNetwork 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: network
  name: guid(network.id, clusterIdentity.id, 'Network Contributor')
  properties: {
    principalId: clusterIdentity.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '4d97b98b-1d4f-4787-a291-c67834d212e7')
  }
}

resource cluster 'Microsoft.ContainerService/managedClusters@2025-07-01' = {
  name: 'platform'
  location: location
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${clusterIdentity.id}': {}
    }
  }
  properties: {
    dnsPrefix: 'platform'
    kubernetesVersion: kubernetesVersion
    // The operator exchanges tokens of ServiceAccounts at Entra, which trusts this issuer.
    oidcIssuerProfile: {
      enabled: true
    }
    // Only the chart's value operatorIdentity of type WorkloadIdentity requires the webhook that this installs.
    securityProfile: {
      workloadIdentity: {
        enabled: true
      }
    }
    agentPoolProfiles: [
      {
        name: 'system'
        mode: 'System'
        count: 2
        vmSize: 'Standard_D2s_v5'
        vnetSubnetID: resourceId('Microsoft.Network/virtualNetworks/subnets', network.name, 'nodes')
      }
    ]
    // Without a policy engine the chart's NetworkPolicy has no effect.
    networkProfile: {
      networkPlugin: 'azure'
      networkPluginMode: 'overlay'
      networkPolicy: 'cilium'
      networkDataplane: 'cilium'
    }
  }
  dependsOn: [clusterNetwork]
}

output issuer string = cluster.properties.oidcIssuerProfile.issuerURL
output endpointSubnetId string = resourceId('Microsoft.Network/virtualNetworks/subnets', network.name, 'endpoints')
output zoneId string = privateZone.id
